"""HNSW in an embedded index: built on a copy beside all other work, and used once built."""

import json
import shutil
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from growing_index import (
    POINTS,
    SPEC,
    MakePoint,
    built,
    check_building,
    check_folders,
    children,
    filled,
    folders,
    found_first,
    kill,
    settled,
    writing,
)

from sightline.index import SearchQuery
from sightline.index.edge.client import EdgeClient
from sightline.index.edge.collections import EdgeCollections
from sightline.index.edge.growth import IndexGrowth
from sightline.index.filters import parse_filter
from sightline.index.records import point_record
from sightline.index.tuning import Tuning
from sightline.payload import FieldType, Source
from sightline.settings import Quantization


def test_a_shard_that_was_built_outlives_its_processes(process: Any, make_point: MakePoint) -> None:
    child = process.start()
    client = filled(process, make_point)
    client.optimize("images")
    settled(built(client))
    for number in range(POINTS, POINTS + 3):
        kill(child, "shard_process")
        client.insert("images", [make_point(number)])
        assert found_first(client, make_point(number))
    child.kill()
    child.wait()
    child = process.start()
    assert client.count("images") == POINTS + 3
    assert len(children(child, "shard_process")) == 1
    child.terminate()
    assert child.wait(20) == 0


def test_stopping_ends_a_build(process: Any, make_point: MakePoint) -> None:
    child = process.start()
    client = filled(process, make_point)
    client.optimize("images")
    settled(lambda: check_building(child))
    child.terminate()
    assert child.wait(20) == 0
    assert len(folders(process)) == 1
    process.start()
    assert client.count("images") == POINTS


def test_a_dropped_collection_is_not_built(process: Any, make_point: MakePoint) -> None:
    child = process.start()
    client = filled(process, make_point)
    client.optimize("images")
    settled(lambda: check_building(child))
    client.drop_collection("images")
    settled(lambda: check_folders(process, 0))
    client.ensure_collection(SPEC)
    assert client.count("images") == 0


def test_without_room_on_the_disk_nothing_is_built(
    fast_folder: Path, monkeypatch: pytest.MonkeyPatch, make_point: MakePoint
) -> None:
    looked = threading.Event()

    def usage(path: Path) -> Any:
        looked.set()
        return SimpleNamespace(free=1 << 20)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    tuning = Tuning(rebuild_points=10)
    with closing(EdgeCollections(fast_folder / "full", tuning)) as collections:
        collections.ensure("images", "space-a", 16, {})
        with IndexGrowth(collections.shards, tuning):
            collections.insert("images", [point_record(make_point(number)) for number in range(20)])
            collections.optimize("images")
            assert looked.wait(20)
            assert collections.count("images", None) == 20
        assert collections.describe("images").indexed == 0
        assert len(list((fast_folder / "full" / "shards").iterdir())) == 1


def test_a_defect_in_one_collection_keeps_no_other_from_being_built(
    fast_folder: Path, monkeypatch: pytest.MonkeyPatch, make_point: MakePoint
) -> None:
    due = IndexGrowth._due

    def failing_due(growth: IndexGrowth, held: Any, look: Any) -> Any:
        if held.entry.name.startswith("broken"):
            raise Exception("what an engine raises of a full disk")
        return due(growth, held, look)

    monkeypatch.setattr(IndexGrowth, "_due", failing_due)
    tuning = Tuning(rebuild_points=10)
    with closing(EdgeCollections(fast_folder / "defect", tuning)) as collections:
        for name in ("broken", "sound"):
            collections.ensure(name, "space-a", 16, {})
            collections.insert(name, [point_record(make_point(number)) for number in range(20)])

        def check_built() -> None:
            assert collections.describe("sound").indexed == 20

        with IndexGrowth(collections.shards, tuning):
            collections.optimize("sound")
            settled(check_built)
        assert collections.describe("broken").indexed == 0


def test_a_build_covers_every_point_and_leaves_one_folder(process: Any, make_point: MakePoint) -> None:
    child = process.start()
    client = filled(process, make_point)
    [before] = folders(process)
    assert client.collection("images").indexed == 0
    client.optimize("images")
    settled(built(client))
    assert len(children(child, "shard_process")) == 1
    settled(lambda: check_only_new(process, before))
    assert all(found_first(client, make_point(number)) for number in range(0, POINTS, 100))
    # Built anew, in the process that the first build led to
    client.insert("images", [make_point(number) for number in range(POINTS, POINTS + 200)])
    client.optimize("images")
    settled(built(client, POINTS + 200))
    assert client.count("images") == POINTS + 200


def check_only_new(process: Any, before: str) -> None:
    now = folders(process)
    assert len(now) == 1
    assert now != [before]


def test_enough_points_start_a_build(
    process: Any, make_point: MakePoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_INDEX_REBUILD_POINTS", str(POINTS))
    process.start()
    client = filled(process, make_point)
    settled(built(client))
    client.drop_collection("images")
    assert folders(process) == []


def vectors_bytes(shard: Path) -> int:
    """What the vectors of a shard take of the disk, deleted ones too."""
    files = [path for path in shard.rglob("vector_storage/**/*") if path.is_file()]
    return sum(path.stat().st_blocks * 512 for path in files if "flags" not in path.name)


@pytest.mark.parametrize("kept", [100, 0])
def test_the_room_of_many_deleted_points_comes_free(
    fast_folder: Path, make_point: MakePoint, kept: int
) -> None:
    shards = fast_folder / f"churned-{kept}" / "shards"
    tuning = Tuning(reclaimed_points=4_000)
    with closing(EdgeCollections(shards.parent, tuning)) as collections:
        collections.ensure("images", "space-a", 16, {})
        points = [point_record(make_point(number)) for number in range(4_000 + kept)]
        collections.insert("images", points)
        with IndexGrowth(collections.shards, tuning):
            collections.delete("images", [point.id for point in points[kept + 1 :]])
            [before] = shards.iterdir()
            held = vectors_bytes(before)
            collections.delete("images", [points[kept].id])
            collections.shards.wake.set()
            settled(lambda: check_replaced(shards, before))
            [after] = shards.iterdir()
            assert vectors_bytes(after) < held / 2
            assert collections.count("images", None) == kept
            collections.insert("images", points[-1:])
            assert collections.count("images", None) == kept + 1


def check_replaced(shards: Path, before: Path) -> None:
    now = list(shards.iterdir())
    assert len(now) == 1
    assert now != [before]


def test_a_search_by_few_candidates_misses_some_where_the_graph_is_walked(
    process: Any, make_point: MakePoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_INDEX_FULL_SCAN_KB", "0")
    process.start()
    client = filled(process, make_point)
    assert recall(client, make_point, ef=1) == 1.0  # there is no graph yet: all are compared
    client.optimize("images")
    settled(built(client))
    assert recall(client, make_point, ef=1) < recall(client, make_point, ef=POINTS) == 1.0


def recall(client: EdgeClient, make_point: MakePoint, ef: int) -> float:
    found = 0
    for number in range(50):
        query = SearchQuery(make_point(POINTS + number).vector, "space-a", 10, ef=ef)
        near, exact = (client.search("images", one) for one in (query, replace(query, exact=True)))
        found += len({hit.id for hit in near} & {hit.id for hit in exact})
    return found / 500


def test_work_goes_on_during_a_build(process: Any, make_point: MakePoint) -> None:
    # Given every kind of change, made while the copy is built
    child = process.start()
    client = filled(process, make_point)
    client.optimize("images")
    settled(lambda: check_building(child))
    answered = 0
    with writing(client, make_point, POINTS) as written:
        client.delete("images", [make_point(1).id])
        client.set_payload("images", make_point(2).id, {"tags": ["new"]})
        client.add_sources("images", {make_point(3).id: {"a": source(), "b": source()}})
        gone = client.remove_sources("images", {make_point(3).id: ["a"], make_point(4).id: ["a"]})
        client.ensure_collection(replace(SPEC, fields={**SPEC.fields, "metadata.sku": FieldType.KEYWORD}))
        while client.collection("images").indexed < POINTS:
            assert found_first(client, make_point(5))
            answered += 1
        assert found_first(client, make_point(6))
    assert answered > 0
    assert gone == {make_point(4).id}
    assert client.count("images") == POINTS - 2 + len(written)
    points = client.retrieve("images", [make_point(number).id for number in range(1, 5)])
    assert sorted(points) == sorted([make_point(2).id, make_point(3).id])
    assert points[make_point(2).id].payload.tags == ("new",)
    assert list(points[make_point(3).id].payload.sources) == ["b"]
    assert len(client.retrieve("images", [point.id for point in written])) == len(written)
    assert all(found_first(client, point) for point in written[::10])
    assert client.count("images", parse_filter('{"field": "metadata.sku", "eq": "none"}')) == 0


def source() -> Source:
    return Source(kind="folder", uri="file:///a.jpg")


@pytest.mark.parametrize("chosen", [Quantization.INT8, None])
def test_a_collection_is_built_with_the_quantization_it_was_made_with(
    process: Any, make_point: MakePoint, monkeypatch: pytest.MonkeyPatch, chosen: Quantization | None
) -> None:
    monkeypatch.setenv("SIGHTLINE_QUANTIZATION", "turbo4")
    process.start()
    client: EdgeClient = process.client(patience_s=30.0)
    client.ensure_collection(replace(SPEC, quantization=chosen))
    client.insert("images", [make_point(number) for number in range(POINTS)])
    client.optimize("images")
    settled(built(client))
    catalog = json.loads((process.folder / "index" / "collections.json").read_text())
    [entry] = catalog["collections"]
    assert entry["built"]["quantization"] == (chosen or Quantization.TURBO4)
    assert client.collection("images").quantization == chosen
