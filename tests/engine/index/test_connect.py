"""Which index the settings name."""

from pathlib import Path

import pytest

from sightline.errors import SettingsError
from sightline.index.connect import open_index
from sightline.index.edge.client import EdgeClient
from sightline.index.server.index import ServerIndex
from sightline.settings import Settings


def test_a_url_names_a_server() -> None:
    index = open_index(Settings(qdrant_url="http://127.0.0.1:1"))
    assert isinstance(index, ServerIndex)
    index.close()


def test_a_socket_names_an_index_process(tmp_path: Path) -> None:
    index = open_index(Settings(index_socket=tmp_path / "index.sock"))
    assert isinstance(index, EdgeClient)
    index.close()


def test_nothing_named() -> None:
    with pytest.raises(SettingsError, match="SIGHTLINE_QDRANT_URL"):
        open_index(Settings())
