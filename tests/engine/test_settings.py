"""Settings: the example file says all of them, and faults are sentences."""

import re
from pathlib import Path

import pytest

from sightline.errors import SettingsError
from sightline.settings import Settings, read_settings

EXAMPLE = Path(__file__).resolve().parents[2] / ".env.example"
LINE = re.compile(r"^(# )?SIGHTLINE_(\w+)=(.*?)\s+# \S", re.MULTILINE)


def test_example_names_every_setting_and_no_other() -> None:
    named = {match[2].lower() for match in LINE.finditer(EXAMPLE.read_text())}

    assert named == set(Settings.model_fields)


def test_example_gives_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for match in LINE.finditer(EXAMPLE.read_text()):
        field = Settings.model_fields[match[2].lower()]
        if match[1]:
            assert field.default is None
        else:
            monkeypatch.setenv(f"SIGHTLINE_{match[2]}", match[3])

    assert read_settings() == Settings.model_construct()


def test_fault_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_PORT", "many")
    with pytest.raises(SettingsError, match=r"SIGHTLINE_PORT: .*integer"):
        read_settings()


def test_two_indexes_contradict_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_QDRANT_URL", "http://localhost:6333")
    monkeypatch.setenv("SIGHTLINE_INDEX_SOCKET", "/tmp/index.sock")
    with pytest.raises(SettingsError, match="two indexes"):
        read_settings()


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_API_KEY", "hidden-key")
    assert "hidden-key" not in repr(read_settings())
    assert "hidden-key" not in str(read_settings())
