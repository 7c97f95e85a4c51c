"""The open shards of an index process, by collection: who may write, and which shard is the one now."""

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sightline.errors import CollectionNotFound, SettingsError
from sightline.index.edge.catalog import EdgeCatalog, Entry
from sightline.index.edge.engine import EdgeShard
from sightline.index.edge.journal import ChangeJournal
from sightline.index.edge.shard import Change, Shard, ShardClosed
from sightline.index.edge.shard_child import ShardChild
from sightline.index.edge.shard_folder import sync_folder
from sightline.index.tuning import VectorLayout
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
        self._flushed_changes = 0

    def apply(self, changes: Sequence[Change]) -> None:
        """Make changes; the caller holds `writing`."""
        self.changes += 1
        try:
            self.shard.apply(changes)
        finally:
            # Also what the engine refused: it may have made the first of the changes.
            if self.journal is not None:
                self.journal.write(changes)

    def take(self, entry: Entry, shard: Shard) -> None:
        """Go on with a shard that has the same points; the caller holds `writing`."""
        self.entry, self.shard = entry, shard
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

    def __init__(self, folder: Path) -> None:
        """Open every collection; raises SettingsError with a sentence if the folder cannot be used."""
        self._lock = threading.Lock()
        self._closed = False
        self.wake = threading.Event()
        """Set when somebody has asked for a build."""
        self._catalog = EdgeCatalog(folder)
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
        return Entry(entry.name, folder, entry.space, entry.dimension, entry.fields, built)

    def get(self, name: str) -> OpenShard | None:
        """One collection's shard, or None; raises IndexClosed."""
        with self._lock:
            if self._closed:
                raise IndexClosed
            return self._open.get(name)

    def all(self) -> list[OpenShard]:
        """All shards, by name of their collection; raises IndexClosed."""
        with self._lock:
            if self._closed:
                raise IndexClosed
            return [self._open[name] for name in sorted(self._open)]

    def make(
        self, entry: Callable[[str], Entry], name: str, create: Callable[[Path, Entry], Shard]
    ) -> OpenShard:
        """The collection's shard, made by `create` in a folder of its own if there is none yet."""
        with self._lock:
            if self._closed:
                raise IndexClosed
            held = self._open.get(name)
            if held is None:
                made = entry(self._catalog.new_folder(name))
                held = OpenShard(made, create(self._catalog.path(made.folder), made))
                self._catalog.put(made)
                self._open[name] = held
            return held

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
        """Delete a collection and its points, if it is there."""
        with self._lock:
            held = self._open.pop(name, None)
            if held is None:
                return
            self._catalog.forget(name)
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
        held = self._named(name)
        with held.writing:
            if self.get(name) is not held:
                raise CollectionNotFound(name)
            try:
                yield held
            except ShardClosed as error:
                self.get(name)  # the index is closed, or else the collection was dropped
                raise CollectionNotFound(name) from error

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
    return Entry(
        entry.name, entry.folder, entry.space, entry.dimension, entry.fields | dict(new), entry.built
    )
