"""The open shards of an index process, by collection: who may write, and which shard is the one now."""

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from sightline.errors import CollectionNotFound, SettingsError, Unavailable
from sightline.index.edge.catalog import EdgeCatalog, Entry
from sightline.index.edge.engine import EdgeShard
from sightline.index.edge.journal import ChangeJournal
from sightline.index.edge.shard import Change, DeletePoints, Shard, ShardClosed, ShardEnded
from sightline.index.edge.shard_child import ShardChild
from sightline.index.edge.shard_folder import sync_folder
from sightline.index.tuning import VectorLayout
from sightline.index.versions import first_version, is_version
from sightline.payload import FieldType

_T = TypeVar("_T")


class IndexClosed(Exception):
    """A call came after `close`."""


class OpenShard:
    """A collection's shard. Changes are made by whoever holds `writing`; reads need no lock."""

    def __init__(self, entry: Entry, shard: Shard) -> None:
        self.entry = entry
        self.shard = shard
        self.writing = threading.Lock()
        self.journal: ChangeJournal | None = None
        """Where changes are noted while a successor is being built."""
        self.build_asked = False
        self.changes = 0
        self.deleted = 0
        """Points deleted since the shard was opened or built, whose room is taken still."""
        self._flushed_changes = 0

    def apply(self, changes: Sequence[Change]) -> None:
        """Make changes; the caller holds `writing`."""
        self.changes += 1
        self.deleted += sum(len(change.ids) for change in changes if isinstance(change, DeletePoints))
        try:
            self.shard.apply(changes)
        finally:
            # Also what the engine refused: it may have made the first of the changes.
            if self.journal is not None:
                self.journal.write(changes)

    def take(self, entry: Entry, shard: Shard) -> None:
        """Go on with a shard that has the same points; the caller holds `writing`."""
        self.entry, self.shard, self.deleted = entry, shard, 0
        self._flushed_changes = -1

    def flush(self, folder: Path) -> None:
        """Flush what changed since the last flush; `folder` is the shard's."""
        if self.changes == self._flushed_changes:
            return
        # The engine answers nobody while it flushes, so the disk takes most of it first.
        sync_folder(folder)
        with self.writing:
            changes = self.changes
            self.shard.flush()
            self._flushed_changes = changes


class OpenShards:
    """All shards of one data folder. Safe to call from several threads."""

    def __init__(self, folder: Path, patience_s: float = 0.0) -> None:
        """Open every collection; raises SettingsError with a sentence if the folder cannot be used.

        Raises Unavailable if that may pass. A process that has the folder may take `patience_s` to end.
        """
        self._lock = threading.Lock()
        self._closed = False
        self.wake = threading.Event()
        """Set when somebody has asked for a build."""
        self._catalog = EdgeCatalog(folder, patience_s)
        self._open: dict[str, OpenShard] = {}
        try:
            self._open_all()
        except BaseException:
            self.close()
            raise

    def _open_all(self) -> None:
        children: list[tuple[Entry, ShardChild]] = []
        for entry in self._catalog.entries():
            if entry.built is None:
                with self._explained(entry):
                    self._open[entry.name] = OpenShard(entry, EdgeShard.load(self.path(entry)))
            else:
                with self._explained(entry):
                    child = self.child(entry)
                self._open[entry.name] = OpenShard(entry, child)
                children.append((entry, child))
        for entry, child in children:
            with self._explained(entry):
                child.await_loaded()

    @contextmanager
    def _explained(self, entry: Entry) -> Iterator[None]:
        try:
            yield
        except (ShardEnded, OSError) as error:
            # A process ends so when it is killed, most often for memory: nothing is wrong with the folder.
            raise Unavailable(
                f"Collection '{entry.name}'",
                f"{error}. Start the index again; if that does not help, give it more memory.",
            ) from error
        except Exception as error:  # the engine raises bare Exception
            raise SettingsError(
                f"Collection '{entry.name}' cannot be opened from {self.path(entry)}: {error}. "
                f"Restore the folder from a backup, or use another data folder."
            ) from error

    def path(self, entry: Entry) -> Path:
        """Where a collection's shard is."""
        return self._catalog.path(entry.folder)

    def child(self, entry: Entry) -> ShardChild:
        """Start a process for a shard; it is not loaded yet."""
        return ShardChild(self.path(entry), kept_open=[self._catalog.children_lock])

    def successor(self, entry: Entry, built: VectorLayout) -> Entry:
        """The entry of a collection in a new folder, which nothing names yet."""
        folder = self._catalog.new_folder(entry.name)
        return msgspec.structs.replace(entry, folder=folder, built=built)

    def get(self, name: str) -> OpenShard | None:
        """The shard of the version that a name stands for, or None; raises IndexClosed."""
        with self._lock:
            if self._closed:
                raise IndexClosed
            return self._open.get(self._catalog.version(name))

    def all(self) -> list[OpenShard]:
        """The shards of all versions, by name; raises IndexClosed."""
        with self._lock:
            if self._closed:
                raise IndexClosed
            return [self._open[name] for name in sorted(self._open)]

    def names(self) -> list[str]:
        """The names of all collections, in order."""
        with self._lock:
            return sorted(self._catalog.aliases())

    def all_named(self) -> tuple[list[OpenShard], dict[str, str]]:
        """At one moment the shards of all versions, and the version that each collection stands for."""
        with self._lock:
            if self._closed:
                raise IndexClosed
            return list(self._open.values()), dict(self._catalog.aliases())

    def make(
        self, name: str, entry: Callable[[str, str], Entry], create: Callable[[Path, Entry], Shard]
    ) -> OpenShard:
        """What a name stands for, made by `create` in a folder of its own if there is nothing yet.

        `entry` gives the entry of a version in a folder.
        """
        with self._lock:
            if self._closed:
                raise IndexClosed
            held = self._open.get(self._catalog.version(name))
            version, alias = (name, None) if is_version(name) else (first_version(name), name)
            if held is None and (held := self._open.get(version)) is not None:
                # Its name was lost, not its points.
                self._catalog.put(held.entry, alias)
            if held is None:
                made = entry(version, self._catalog.new_folder(version))
                held = OpenShard(made, create(self._catalog.path(made.folder), made))
                self._catalog.put(made, alias)
                self._open[version] = held
            return held

    def switch(self, name: str, version: str) -> None:
        """Have a collection stand for another version; raises CollectionNotFound if one is not there."""
        with self._lock:
            for needed in (self._catalog.version(name), version):
                if needed not in self._open:
                    raise CollectionNotFound(needed)
            self._catalog.switch(name, version)

    def note(self, held: OpenShard, entry: Entry) -> bool:
        """Change the collection's entry, unless the collection has been dropped; whether it was there."""
        with self._lock:
            if self._open.get(entry.name) is not held:
                return False
            self._catalog.put(entry)
            held.entry = entry
            return True

    def replace(self, held: OpenShard, entry: Entry, shard: Shard) -> bool:
        """Have another shard in another folder take the place, unless the collection has been dropped.

        The caller holds `writing`, and closes the shard that was there, if the place was taken.
        """
        with self._lock:
            if self._closed or self._open.get(entry.name) is not held:
                return False
            self._catalog.put(entry)
            held.take(entry, shard)
            return True

    def drop(self, name: str) -> None:
        """Delete what a name stands for, and the name, if they are there."""
        with self._lock:
            version = self._catalog.version(name)
            held = self._open.get(version)
            if held is None:
                return
            # This may fail, where the disk is full: then nothing has changed.
            self._catalog.forget(version)
            del self._open[version]
        with held.writing:  # A copy of it that began is finished first.
            held.shard.close()
            shutil.rmtree(self._catalog.path(held.entry.folder))

    def read(self, name: str, ask: Callable[[Entry, Shard], _T]) -> _T:
        """What `ask` finds in the collection; asked again when another shard took its place meanwhile."""
        while True:
            held = self._named(name)
            try:
                return ask(held.entry, held.shard)
            except ShardClosed:
                # Its place has been taken, or the collection dropped, before it was closed.
                continue

    @contextmanager
    def change(self, name: str) -> Iterator[OpenShard]:
        """The collection's shard, for this caller alone to change."""
        held = self._writable(name)
        try:
            yield held
        except ShardClosed as error:
            self.get(name)  # the index is closed, or else the collection was dropped
            raise CollectionNotFound(name) from error
        finally:
            held.writing.release()

    def _writable(self, name: str) -> OpenShard:
        """The shard that a name stands for, with `writing` taken."""
        while True:
            held = self._named(name)
            held.writing.acquire()
            try:
                if self.get(name) is held:
                    return held
            except BaseException:
                held.writing.release()
                raise
            held.writing.release()  # While we waited, the name came to stand for another, or for none.

    def _named(self, name: str) -> OpenShard:
        held = self.get(name)
        if held is None:
            raise CollectionNotFound(name)
        return held

    def close(self) -> None:
        """Flush and close everything and give the folder free; afterwards every call raises IndexClosed."""
        with self._lock:
            self._closed = True
        for held in self._open.values():
            held.shard.close()
        self._catalog.close()


def added_fields(entry: Entry, new: Mapping[str, FieldType]) -> Entry:
    """The entry with more indexed fields."""
    return msgspec.structs.replace(entry, fields=entry.fields | dict(new))
