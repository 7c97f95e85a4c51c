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


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"WRITE_CONSISTENCY_FACTOR": "2"}, "asks for 2 replicas of each shard, .*keeps 1"),
        ({"WRITE_CONSISTENCY_FACTOR": "3", "REPLICATION_FACTOR": "2"}, "asks for 3 .*keeps 2"),
        ({"READ_CONSISTENCY": "3", "REPLICATION_FACTOR": "2"}, "READ_CONSISTENCY asks for 3"),
        ({"READ_FAN_OUT_FACTOR": "2", "REPLICATION_FACTOR": "2"}, "READ_FAN_OUT_FACTOR asks 2 more"),
        ({"READ_CONSISTENCY": "most"}, "READ_CONSISTENCY"),
        ({"SHARDS": "0"}, "QDRANT_SHARDS"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused(
    given: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_QDRANT_URL", "http://qdrant:6333")
    for name, value in given.items():
        monkeypatch.setenv(f"SIGHTLINE_QDRANT_{name}", value)
    with pytest.raises(SettingsError, match=says):
        read_settings()


def test_a_cluster_that_can_be_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "URL": "http://qdrant:6333",
        "MORE_URLS": '["http://qdrant-2:6333"]',
        "SHARDS": "6",
        "REPLICATION_FACTOR": "3",
        "WRITE_CONSISTENCY_FACTOR": "2",
        "READ_FAN_OUT_FACTOR": "1",
        "READ_CONSISTENCY": "2",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"SIGHTLINE_QDRANT_{name}", value)
    settings = read_settings()
    assert settings.qdrant_more_urls == ["http://qdrant-2:6333"]
    assert settings.qdrant_read_consistency == 2


def test_a_cluster_without_a_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_QDRANT_REPLICATION_FACTOR", "2")
    with pytest.raises(SettingsError, match="SIGHTLINE_QDRANT_REPLICATION_FACTOR is about a Qdrant server"):
        read_settings()


def test_fault_of_a_list_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_IMPORT_ROOTS", "/pictures")
    with pytest.raises(SettingsError, match="SIGHTLINE_IMPORT_ROOTS is not JSON"):
        read_settings()


def test_level_of_the_log_is_one_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_LOG_LEVEL", "WARNING")
    assert read_settings().log_level == "WARNING"
    monkeypatch.setenv("SIGHTLINE_LOG_LEVEL", "chatty")
    with pytest.raises(SettingsError, match=r"SIGHTLINE_LOG_LEVEL: .*debug"):
        read_settings()
