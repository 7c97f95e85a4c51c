"""A shard in a process of its own answers as one in this process does, and comes back when it dies."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
import psutil
import pytest

from sightline.index.clauses import (
    Clause,
    Either,
    Every,
    HasId,
    Match,
    Never,
    NumberRange,
    TimeRange,
)
from sightline.index.edge.engine import EdgeShard
from sightline.index.edge.shard import (
    DeletePoints,
    IndexFields,
    InsertPoints,
    MergePayload,
    RemovePayload,
    Shard,
    ShardClosed,
    ShardEnded,
    ShardFailed,
    ShardRefused,
)
from sightline.index.edge.shard_child import ShardChild
from sightline.index.ranking import Nearest
from sightline.index.records import PointRecord, vector_bytes
from sightline.index.tuning import VectorLayout
from sightline.payload import FieldType

FIELDS = {
    "tag": FieldType.KEYWORD,
    "stock": FieldType.INTEGER,
    "ratio": FieldType.FLOAT,
    "when": FieldType.DATETIME,
    "public": FieldType.BOOL,
}
NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)


def point(number: int) -> PointRecord:
    payload = {
        "tag": "even" if number % 2 == 0 else "odd",
        "stock": number,
        "ratio": number / 2,
        "when": NOON.replace(minute=number).isoformat(),
        "public": number < 5,
    }
    vector = np.random.default_rng(number).normal(size=8).astype(np.float32)
    return PointRecord(str(UUID(int=number)), payload, vector_bytes(vector / np.linalg.norm(vector)))


QUERY = np.ones(8, np.float32) / np.sqrt(np.float32(8))
BY_QUERY = Nearest(vector_bytes(QUERY))
CLAUSES: dict[str, tuple[Clause, set[int]]] = {
    "text": (Match("tag", ("even",)), {0, 2, 4, 6, 8}),
    "texts": (Match("tag", ("odd", "none")), {1, 3, 5, 7, 9}),
    "numbers": (Match("stock", (3, 4, 77)), {3, 4}),
    "bool": (Match("public", (True,)), {0, 1, 2, 3, 4}),
    "range": (NumberRange("ratio", 1.0, 2.5), {2, 3, 4, 5}),
    "half open": (NumberRange("stock", None, 1), {0, 1}),
    "time": (TimeRange("when", NOON.replace(minute=8)), {8, 9}),
    "ids": (HasId((str(UUID(int=1)),)), {1}),
    "nested": (
        Every((Either((Match("stock", (1,)), Match("stock", (2,)))), Never(Match("tag", ("odd",))))),
        {2},
    ),
    "everything": (Every(), set(range(10))),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("child") / "shard"
    shard = EdgeShard.create(folder, 8, FIELDS, VectorLayout())
    shard.apply([InsertPoints([point(number) for number in range(10)])])
    shard.close()
    return folder


@pytest.fixture(scope="module")
def child(folder: Path) -> Iterator[ShardChild]:
    child = ShardChild(folder)
    child.await_loaded()
    yield child
    child.close()


@pytest.mark.parametrize("name", CLAUSES)
def test_every_clause_means_the_same_there(child: ShardChild, name: str) -> None:
    clause, numbers = CLAUSES[name]
    ids = {str(UUID(int=number)) for number in numbers}
    assert {hit.id for hit in child.search(BY_QUERY, clause, limit=20, offset=0, exact=False)} == ids
    assert {hit.id for hit in child.search(BY_QUERY, clause, limit=20, offset=0, exact=True)} == ids
    assert {one.id for one in child.by_time("when", descending=True, clause=clause, limit=20)} == ids
    assert {one.id for one in child.by_id(clause, after=None, limit=20)} == ids
    assert child.count(clause) == len(ids)


def test_pages_orders_and_vectors(child: ShardChild) -> None:
    hits = child.search(BY_QUERY, None, limit=3, offset=2, exact=True)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    newest = child.by_time("when", descending=True, clause=Every(), limit=2)
    assert [record.payload["stock"] for record in newest] == [9, 8]
    assert [one.id for one in child.by_id(Every(), after=str(UUID(int=7)), limit=5)] == [
        str(UUID(int=8)),
        str(UUID(int=9)),
    ]
    [read] = child.retrieve([str(UUID(int=3)), str(UUID(int=99))], with_vectors=True)
    assert read.payload == point(3).payload
    assert np.frombuffer(read.vector or b"", "<f4") == pytest.approx(
        np.frombuffer(point(3).vector or b"", "<f4"), abs=1e-6
    )
    assert child.size().points == 10


def process_of(folder: Path) -> psutil.Process:
    [process] = (one for one in psutil.Process().children() if str(folder) in one.cmdline())
    return process


def test_every_change_is_made_in_order_and_survives_a_kill(tmp_path: Path) -> None:
    EdgeShard.create(tmp_path / "shard", 8, FIELDS, VectorLayout()).close()
    child = ShardChild(tmp_path / "shard")
    child.await_loaded()
    ids = [point(number).id for number in range(4)]
    child.apply(
        [
            InsertPoints([point(number) for number in range(4)]),
            MergePayload(ids[0], {"tag": "new"}),
            MergePayload(ids[1], {"a": 1, "b": 2}, "inner"),
            RemovePayload(ids[1], ["inner.a"]),
            DeletePoints([ids[2]]),
            MergePayload(ids[2], {"tag": "nobody"}),
            IndexFields({"inner.b": FieldType.INTEGER}),
        ]
    )
    process_of(tmp_path / "shard").kill()
    found = {record.id: record.payload for record in child.retrieve(ids, with_vectors=False)}
    assert sorted(found) == [ids[0], ids[1], ids[3]]
    assert found[ids[0]]["tag"] == "new"
    assert found[ids[1]]["inner"] == {"b": 2}
    assert child.count(Match("inner.b", (2,))) == 1
    child.close()
    child.close()
    with pytest.raises(ShardClosed):
        child.size()
    shard: Shard = EdgeShard.load(tmp_path / "shard")
    assert shard.count() == 3
    shard.close()
    with pytest.raises(ShardClosed):
        shard.count()


def test_what_the_engine_refuses_is_told(child: ShardChild) -> None:
    short = PointRecord(str(UUID(int=50)), {}, vector_bytes(np.ones(3, np.float32)))
    with pytest.raises(ShardRefused):
        child.apply([InsertPoints([short])])
    assert child.count() == 10


def test_a_shard_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    child = ShardChild(tmp_path / "nothing")
    with pytest.raises(ShardFailed) as caught:
        child.await_loaded()
    assert not isinstance(caught.value, ShardEnded)
    child.discard()


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    """A shard of the test's own, of no points."""
    EdgeShard.create(tmp_path / "shard", 8, FIELDS, VectorLayout()).close()
    return tmp_path / "shard"


def test_a_process_that_is_killed_while_it_starts_is_started_again(own_folder: Path) -> None:
    child = ShardChild(own_folder)
    process_of(own_folder).kill()
    child.await_loaded()
    assert child.count() == 0
    child.close()


def test_a_process_that_ends_at_every_start_is_told_from_a_shard_that_cannot_be_opened(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    child = ShardChild(own_folder)
    with pytest.raises(ShardEnded, match="5 times"):
        child.await_loaded()
    child.discard()


def test_a_process_outlives_the_thread_that_asked_for_it(own_folder: Path) -> None:
    def started() -> ShardChild:
        child = ShardChild(own_folder)
        child.await_loaded()
        return child

    with ThreadPoolExecutor(1) as pool:
        child = pool.submit(started).result()
    gone, _ = psutil.wait_procs([process_of(own_folder)], timeout=0.5)
    assert not gone
    child.close()


_HOLDER = """
import sys
from pathlib import Path
from sightline.index.edge.shard_child import ShardChild
child = ShardChild(Path(sys.argv[1]))
child.await_loaded()
print(child._process.pid, flush=True)
input()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_process_in_the_middle_of_a_call_ends_with_the_index_process(own_folder: Path) -> None:
    command = [sys.executable, "-c", _HOLDER, str(own_folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        process = psutil.Process(int(holder.stdout.readline()))
        # A process that is stopped reads as little as one in a long call.
        process.send_signal(signal.SIGSTOP)
        holder.kill()
    gone, alive = psutil.wait_procs([process], timeout=10)
    for left in alive:
        left.kill()
    assert gone
