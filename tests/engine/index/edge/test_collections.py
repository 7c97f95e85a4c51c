"""Collections of an embedded index, in one process: what a full disk and a copy meet half-way."""

import errno
import json
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from sightline.index.edge import copying
from sightline.index.edge.catalog import CATALOG, EdgeCatalog
from sightline.index.edge.collections import EdgeCollections
from sightline.index.records import PointRecord, vector_bytes
from sightline.payload import FieldType

SPACE = "space-a"
POINT = PointRecord(str(UUID(int=1)), {"space": SPACE}, vector_bytes(np.ones(4, np.float32) / 2))


def make(collections: EdgeCollections, name: str) -> None:
    collections.ensure(name, SPACE, 4, {"tags": FieldType.KEYWORD})


def test_a_drop_that_a_full_disk_refuses_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with closing(EdgeCollections(tmp_path)) as collections:
        make(collections, "images")
        collections.insert("images", [POINT])
        with monkeypatch.context() as patch:
            patch.setattr(EdgeCatalog, "_write", full)
            with pytest.raises(OSError, match="no room"):
                collections.drop("images")
        assert collections.count("images", None) == 1

        collections.drop("images")
        assert collections.describe_all() == []
        assert list((tmp_path / "shards").iterdir()) == []


def test_a_copy_has_what_a_collection_was_switched_to_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_one = copying._copied

    with closing(EdgeCollections(tmp_path / "index")) as collections:

        def migrate_first(*arguments: Any) -> Any:
            monkeypatch.setattr(copying, "_copied", copy_one)
            copied = copy_one(*arguments)
            make(collections, "cats.next")
            collections.insert("cats.next", [POINT])
            collections.shards.switch("cats", "cats.next")
            collections.drop("cats.1")
            return copied

        make(collections, "cats")
        monkeypatch.setattr(copying, "_copied", migrate_first)
        collections.copy_to(tmp_path / "copy")

    with closing(EdgeCollections(tmp_path / "copy")) as restored:
        assert restored.count("cats", None) == 1
        make(restored, "cats")
        assert restored.count("cats", None) == 1


def test_points_whose_name_was_lost_are_found_again(tmp_path: Path) -> None:
    with closing(EdgeCollections(tmp_path)) as collections:
        make(collections, "images")
        collections.insert("images", [POINT])
        collections.flush()
    listed = json.loads((tmp_path / CATALOG).read_text())
    (tmp_path / CATALOG).write_text(json.dumps(listed | {"aliases": {}}))

    with closing(EdgeCollections(tmp_path)) as collections:
        make(collections, "images")
        assert collections.count("images", None) == 1
