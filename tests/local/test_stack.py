"""What an embedded stack tells its processes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sightline.index.edge.process import _parser
from sightline.settings import Settings
from sightline_local.data_folder import data_folder_at
from sightline_local.stack import build_stack


def test_the_index_waits_for_one_whose_stack_was_killed(tmp_path: Path) -> None:
    artifact: Any = SimpleNamespace(path=tmp_path / "model")
    stack = build_stack(data_folder_at(tmp_path), artifact, Settings(), [])
    [index] = (child for child in stack._children if child.name == "index")
    assert _parser().parse_args(index.arguments).patience >= 30
    stack.stop()
