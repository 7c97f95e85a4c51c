"""What an embedded stack tells its processes."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sightline.index.edge.process import _parser
from sightline.settings import Settings
from sightline_local.data_folder import data_folder_at
from sightline_local.stack import base_url, build_stack


def test_the_index_waits_for_one_whose_stack_was_killed(tmp_path: Path) -> None:
    artifact: Any = SimpleNamespace(path=tmp_path / "model")
    stack = build_stack(data_folder_at(tmp_path), artifact, Settings(), [])
    [index] = (child for child in stack._children if child.name == "index")
    assert _parser().parse_args(index.arguments).patience >= 30
    stack.stop()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::1", "[::1]"),
        ("::", "[::1]"),
        ("fd00::5", "[fd00::5]"),
        ("here.example", "here.example"),
    ],
)
def test_whoever_asks_for_the_address_that_is_served_is_answered(
    tmp_path: Path, host: str, address: str
) -> None:
    artifact: Any = SimpleNamespace(path=tmp_path / "model")
    settings = Settings(host=host, allowed_hosts=["pictures.example"])
    stack = build_stack(data_folder_at(tmp_path), artifact, settings, [])
    stack.stop()

    assert base_url(host, 8000) == f"http://{address}:8000"
    for child in stack._children:
        allowed = json.loads(child.environment["SIGHTLINE_ALLOWED_HOSTS"])
        assert allowed == ["pictures.example", address]
