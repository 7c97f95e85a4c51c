"""The journal of changes: in order, while it is written, and honest when the disk is full."""

import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from sightline.index.edge.journal import ChangeJournal
from sightline.index.edge.shard import DeletePoints, IndexFields, InsertPoints, MergePayload, RemovePayload
from sightline.index.records import PointRecord
from sightline.payload import FieldType


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[ChangeJournal]:
    journal = ChangeJournal(tmp_path)
    assert list(tmp_path.iterdir()) == []
    yield journal
    journal.close()


def test_changes_come_back_as_they_were(journal: ChangeJournal) -> None:
    changes = [
        InsertPoints([PointRecord("a", {"x": [1, None]}, b"\0\1")]),
        MergePayload("a", {"b": {"c": True}}, "sources"),
        RemovePayload("a", ["sources.b"]),
        DeletePoints(["a"]),
        IndexFields({"x": FieldType.INTEGER}),
    ]
    journal.write(changes)
    journal.write([])
    assert list(journal.read()) == [changes, []]
    assert journal.unread == 0
    assert list(journal.read()) == []


def test_it_is_read_while_it_is_written(journal: ChangeJournal) -> None:
    def write() -> None:
        for number in range(2_000):
            journal.write([DeletePoints([str(number)])])

    read: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done() or journal.unread:
            read += [change.ids[0] for [change] in journal.read() if isinstance(change, DeletePoints)]
        writing.result()
    assert read == [str(number) for number in range(2_000)]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [100, 103])
def test_a_full_disk_fails_no_writer(journal: ChangeJournal, room: int) -> None:
    with largest_file(room):
        for _ in range(10):
            journal.write([DeletePoints(["0" * 36])])
    assert journal.broken
    assert all(changes == [DeletePoints(["0" * 36])] for changes in journal.read())
