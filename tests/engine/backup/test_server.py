"""A backup of a Qdrant server whose collections come and go while it is taken."""

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from sightline.backup import server
from sightline.backup.server import restore_backup, take_backup
from sightline.errors import CollectionNotFound, StorageFull
from sightline.index.server.engine import QdrantServer
from sightline.portable.discarding import discard_stale
from sightline.portable.places import PortablePlaces
from sightline.queue.jobs import JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import ExportTarget
from sightline.settings import Settings


class Qdrant:
    """Collections and aliases of a server, as snapshots; `meanwhile` happens after the first of them."""

    def __init__(self, aliases: dict[str, str], meanwhile: Callable[["Qdrant"], object]) -> None:
        self.held = dict(aliases)
        self.names = set(aliases.values())
        self._meanwhile = [meanwhile]

    def require_one_node(self) -> None:
        pass

    def aliases(self) -> dict[str, str]:
        return {"theirs": "of-somebody-else", **self.held}

    def take(self, name: str, file: Path) -> bool:
        if name not in self.names:
            return False
        file.write_bytes(b"points")
        while self._meanwhile:
            self._meanwhile.pop()(self)
        return True

    def drop(self, name: str) -> None:
        self.names.discard(name)
        self.held = {alias: one for alias, one in self.held.items() if one != name}

    def switch(self, alias: str, name: str) -> None:
        self.names.add(name)
        self.held[alias] = name


Taken = Callable[[Qdrant], tuple[set[str], dict[str, str]]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(qdrant_url="http://nowhere", redis_url="redis://nowhere", data_dir=tmp_path / "data")


@pytest.fixture
def taken(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Taken:
    """`taken(qdrant)`: the collections of a backup, and their aliases."""

    def take(qdrant: Qdrant) -> tuple[set[str], dict[str, str]]:
        monkeypatch.setattr(server, "_snapshots", lambda *_: qdrant)
        monkeypatch.setattr(server, "_collections", lambda *_: sorted(qdrant.names))
        monkeypatch.setattr(server, "dump_records", lambda *_: 0)
        take_backup(settings, tmp_path / "backup")
        index = tmp_path / "backup" / "index"
        names = {path.stem for path in index.glob("*.snapshot")}
        return names, json.loads((index / "aliases.json").read_text())

    return take


@pytest.mark.parametrize("gone", ["cats", "dogs"])
def test_a_collection_that_is_dropped_meanwhile_is_left_out(taken: Taken, gone: str) -> None:
    """Before its turn or after it."""
    left = ({"cats", "dogs"} - {gone}).pop()
    qdrant = Qdrant({"cats": "cats.1", "dogs": "dogs.1"}, lambda one: one.drop(f"{gone}.1"))
    assert taken(qdrant) == ({f"{left}.1"}, {left: f"{left}.1"})


@pytest.mark.parametrize("switched", ["cats", "dogs"])
def test_a_collection_that_is_switched_meanwhile_keeps_its_name(taken: Taken, switched: str) -> None:
    def finish_migration(qdrant: Qdrant) -> None:
        qdrant.switch(switched, f"{switched}.2")
        qdrant.drop(f"{switched}.1")

    aliases = {"cats": "cats.1", "dogs": "dogs.1"}
    names, held = taken(Qdrant(aliases, finish_migration))
    assert held == aliases | {switched: f"{switched}.2"}
    assert names == set(held.values())


class SwitchedLate(Qdrant):
    """A server on which a migration is finished at the last look, between aliases and names."""

    def __init__(self) -> None:
        super().__init__({"cats": "cats.1"}, lambda _: None)
        self.names.add("cats.2")
        self._looks = 0

    def aliases(self) -> dict[str, str]:
        found = super().aliases()
        self._looks += 1
        if self._looks == 2:
            self.switch("cats", "cats.2")
            self.drop("cats.1")
        return found


def test_a_collection_that_is_switched_at_the_last_look_keeps_its_name(taken: Taken) -> None:
    assert taken(SwitchedLate()) == ({"cats.2"}, {"cats": "cats.2"})


def test_a_full_disk_is_said_to_be_full(taken: Taken, tmp_path: Path) -> None:
    def fill(_: Qdrant) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "cats.1.snapshot")

    with pytest.raises(StorageFull, match="folder of the backup has no room left"):
        taken(Qdrant({"cats": "cats.1"}, fill))
    assert not (tmp_path / "backup").exists()


def test_a_collection_that_goes_while_they_are_listed_is_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Collections:
        def names(self) -> list[str]:
            return ["cats.1", "gone.1", "of-somebody-else"]

        def is_ours(self, name: str) -> bool:
            if name == "gone.1":
                raise CollectionNotFound(name)
            return name == "cats.1"

    class Listed:
        collections = Collections()

        def close(self) -> None:
            pass

    monkeypatch.setattr(QdrantServer, "at", lambda *_, **__: Listed())
    assert server._collections(settings, "http://nowhere") == ["cats.1"]


class SweptMeanwhile(Qdrant):
    """A server without collections, beside which an embedder looks for exports that nobody waits for."""

    def __init__(self, places: PortablePlaces, ledger: Ledger) -> None:
        super().__init__({}, lambda _: None)
        self._places, self._ledger = places, ledger

    def set_aliases(self, aliases: dict[str, str]) -> None:
        discard_stale(self._places, self._ledger)


def test_an_embedder_that_runs_beside_a_restore_deletes_no_export(
    settings: Settings,
    redis: Redis,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ledger: Ledger,
) -> None:
    first = settings.model_copy(update={"redis_url": redis_url})
    second = first.model_copy(update={"data_dir": tmp_path / "restored"})
    job = ledger.create(JobRequest(collection="cats", source=ExportTarget()))
    ledger.end_listing(job.id)
    PortablePlaces(first.data_dir).export(job.id).mkdir(parents=True)
    there = PortablePlaces(second.data_dir)
    monkeypatch.setattr(server, "_snapshots", lambda *_: SweptMeanwhile(there, ledger))
    monkeypatch.setattr(server, "_collections", lambda *_: [])
    take_backup(first, tmp_path / "backup")
    redis.flushall()

    restore_backup(second, tmp_path / "backup")

    discard_stale(there, ledger)
    assert there.export(job.id).is_dir()
