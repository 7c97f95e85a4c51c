"""Collections of an embedded index, in one process: what a full disk and a copy meet half-way."""

import errno
import json
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from structlog.testing import capture_logs

from sightline.index.edge import catalog as catalog_module
from sightline.index.edge import copying
from sightline.index.edge.catalog import CATALOG, EdgeCatalog
from sightline.index.edge.collections import EdgeCollections
from sightline.index.edge.open_shards import OpenShard
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


def test_a_drop_is_on_the_disk_before_anything_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[Path, list[str], int]] = []
    sync_names = catalog_module.sync_names

    def note(folder: Path) -> None:
        named = [one["name"] for one in json.loads((folder / CATALOG).read_bytes())["collections"]]
        synced.append((folder, named, len(list((folder / "shards").iterdir()))))
        sync_names(folder)

    with closing(EdgeCollections(tmp_path)) as collections:
        make(collections, "images")
        monkeypatch.setattr(catalog_module, "sync_names", note)
        collections.drop("images")
    assert synced == [(tmp_path, [], 1)]


def test_a_folder_that_the_disk_does_not_take_changes_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> None:
        raise OSError(errno.EIO, "a broken disk")

    with closing(EdgeCollections(tmp_path)) as collections, capture_logs() as logs:
        monkeypatch.setattr(catalog_module, "sync_names", broken)
        make(collections, "images")
        assert collections.count("images", None) == 0
    assert [one["event"] for one in logs] == ["catalog_not_synced"]
    assert json.loads((tmp_path / CATALOG).read_bytes())["aliases"] == {"images": "images.1"}


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


@pytest.mark.parametrize("made_anew", [False, True])
def test_a_copy_has_nothing_of_what_was_dropped_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_anew: bool
) -> None:
    copy_one = copying._copied

    with closing(EdgeCollections(tmp_path / "index")) as collections:

        def drop_first(*arguments: Any) -> Any:
            monkeypatch.setattr(copying, "_copied", copy_one)
            copied = copy_one(*arguments)
            collections.drop("cats")
            if made_anew:
                make(collections, "cats")
            return copied

        make(collections, "cats")
        collections.insert("cats", [POINT])
        make(collections, "dogs")
        monkeypatch.setattr(copying, "_copied", drop_first)
        collections.copy_to(tmp_path / "copy")

    shards = list((tmp_path / "copy" / "shards").iterdir())
    with closing(EdgeCollections(tmp_path / "copy")) as restored:
        held = {one.name: one.points for one in restored.describe_all()}
    assert held == ({"cats": 0, "dogs": 0} if made_anew else {"dogs": 0})
    assert len(shards) == len(held)


class Panic(BaseException):
    """What an engine raises that is beside itself: no Exception."""


@pytest.mark.parametrize(
    "fault", [Exception("the engine says no"), OSError(errno.ENOSPC, "no room"), Panic()]
)
def test_a_collection_that_cannot_be_flushed_keeps_no_other_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    flushed: list[str] = []

    def flush(held: OpenShard, _: Path) -> None:
        if held.entry.name == "cats.1":
            raise fault
        flushed.append(held.entry.name)

    with closing(EdgeCollections(tmp_path)) as collections:
        for name in ("cats", "dogs"):
            make(collections, name)
        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(OpenShard, "flush", flush)
            collections.flush()
    assert flushed == ["dogs.1"]
    assert [(one["event"], one["collection"]) for one in logs] == [("index_not_flushed", "cats.1")]


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
