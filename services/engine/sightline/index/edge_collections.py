"""All collections of an embedded index, in the process that holds them."""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import CollectionNotFound, FieldNotIndexed, ImageNotFound, SettingsError
from sightline.index import SortKey
from sightline.index.browsing import Listing
from sightline.index.checks import (
    check_collection,
    check_dimension,
    check_limit,
    check_space,
    check_vector,
    missing_fields,
)
from sightline.index.clauses import clause_of
from sightline.index.edge import EdgeCollection
from sightline.index.edge_catalog import EdgeCatalog, Entry
from sightline.index.filters import Filter
from sightline.index.records import CollectionRecord, Hit, PointRecord, vector_of
from sightline.payload import FieldType


class IndexClosed(Exception):
    """A call came after `close`."""


class EdgeCollections:
    """The operations of VectorIndex on one data folder, over records. Safe to call from several threads.

    One lock serves: every call into the engine holds the GIL anyway.
    """

    def __init__(self, folder: Path) -> None:
        """Open every collection; raises SettingsError with a sentence if the folder cannot be used."""
        self._lock = threading.Lock()
        self._closed = False
        self._catalog = EdgeCatalog(folder)
        self._open: dict[str, EdgeCollection] = {}
        self._unflushed: set[str] = set()
        for entry in self._catalog.entries():
            self._open[entry.name] = self._load(entry)

    def _load(self, entry: Entry) -> EdgeCollection:
        path = self._catalog.path(entry.folder)
        try:
            return EdgeCollection.load(path)
        except Exception as error:  # the engine raises bare Exception
            raise SettingsError(
                f"Collection '{entry.name}' cannot be opened from {path}: {error}. "
                f"Restore the folder from a backup, or use another data folder."
            ) from error

    def ensure(
        self, name: str, space: str, dimension: int, fields: Mapping[str, FieldType]
    ) -> CollectionRecord:
        """Create the collection, or check the one there and index the fields it lacks."""
        check_collection(name, dimension, fields)
        with self._held():
            entry = self._catalog.get(name)
            if entry is None:
                entry = Entry(name, self._catalog.new_folder(name), space, dimension, dict(fields))
                shard = EdgeCollection.create(self._catalog.path(entry.folder), dimension, fields)
                self._catalog.put(entry)
                self._open[name] = shard
            else:
                check_space(name, entry.space, space)
                check_dimension(name, entry.dimension, dimension)
                new = missing_fields(name, entry.fields, fields)
                if new:
                    self._open[name].index_fields(new)
                    entry = Entry(name, entry.folder, space, entry.dimension, entry.fields | new)
                    self._catalog.put(entry)
            return self._described(entry)

    def describe(self, name: str) -> CollectionRecord:
        """Describe one collection."""
        with self._held():
            return self._described(self._entry(name))

    def describe_all(self) -> list[CollectionRecord]:
        """Describe all collections, by name."""
        with self._held():
            return [self._described(entry) for entry in self._catalog.entries()]

    def drop(self, name: str) -> None:
        """Delete a collection and its points, if it is there."""
        with self._held():
            entry = self._catalog.get(name)
            if entry is not None:
                self._open.pop(name).close()
                self._unflushed.discard(name)
                self._catalog.remove(entry)

    def insert(self, name: str, points: Sequence[PointRecord]) -> None:
        """Insert points that are not there yet."""
        with self._held():
            entry = self._entry(name)
            for point in points:
                check_space(name, entry.space, str(point.payload.get("space")))
                check_vector(name, entry.dimension, vector_of(point.vector or b""))
            self._changing(name).insert(points)

    def retrieve(self, name: str, ids: Sequence[str], *, with_vectors: bool) -> list[PointRecord]:
        """Read points by id."""
        with self._held():
            return self._shard(name).retrieve(ids, with_vectors=with_vectors)

    def add_sources(self, name: str, sources: Mapping[str, Mapping[str, Any]]) -> None:
        """Add sources to points, key by key; points that are not there are left out."""
        with self._held():
            shard = self._changing(name)
            for point_id, added in sources.items():
                shard.merge_payload(point_id, added, key="sources")

    def remove_sources(self, name: str, sources: Mapping[str, Collection[str]]) -> list[str]:
        """Take sources off points, delete those that have none left; the ids of those that are gone."""
        with self._held():
            shard = self._changing(name)
            for point_id, keys in sources.items():
                shard.remove_payload(point_id, [f"sources.{key}" for key in keys])
            left = shard.retrieve(list(sources), with_vectors=False)
            kept = {record.id for record in left if record.payload.get("sources")}
            shard.delete([record.id for record in left if record.id not in kept])
            return [point_id for point_id in sources if point_id not in kept]

    def set_payload(self, name: str, point_id: str, values: Mapping[str, Any]) -> None:
        """Replace top-level payload fields of one point."""
        with self._held():
            shard = self._changing(name)
            if not shard.retrieve([point_id], with_vectors=False):
                raise ImageNotFound(name, point_id)
            shard.merge_payload(point_id, values)

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete points."""
        with self._held():
            self._changing(name).delete(ids)

    def search(
        self,
        name: str,
        vector: NDArray[np.float32],
        *,
        space: str,
        limit: int,
        offset: int,
        filter: Filter | None,
        exclude: Sequence[str],
        exact: bool,
    ) -> list[Hit]:
        """The nearest points, best first."""
        check_limit(limit, offset)
        with self._held():
            entry = self._entry(name)
            check_space(name, entry.space, space)
            check_vector(name, entry.dimension, vector)
            clause = clause_of(filter, entry.fields, exclude=exclude)
            return self._shard(name).search(vector, clause, limit=limit, offset=offset, exact=exact)

    def browse(
        self, name: str, *, sort: SortKey, limit: int, cursor: str | None, filter: Filter | None
    ) -> tuple[list[PointRecord], str | None]:
        """One page in order of time, and the cursor of the next."""
        check_limit(limit)
        listing = Listing(name, sort, filter)
        with self._held():
            fields = self._entry(name).fields
            if listing.field not in fields:
                raise FieldNotIndexed(listing.field, tuple(fields))
            return listing.page(self._shard(name), clause_of(filter, fields), limit=limit, cursor=cursor)

    def count(self, name: str, filter: Filter | None) -> int:
        """How many points match."""
        with self._held():
            return self._shard(name).count(clause_of(filter, self._entry(name).fields))

    def flush(self) -> None:
        """Flush the collections that changed since the last flush."""
        with self._held():
            for name in sorted(self._unflushed):
                self._open[name].flush()
            self._unflushed.clear()

    def close(self) -> None:
        """Flush and close everything and give the folder free; afterwards every call raises IndexClosed."""
        with self._held():
            self._closed = True
            while self._open:
                self._open.popitem()[1].close()
            self._catalog.close()

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise IndexClosed
            yield

    def _entry(self, name: str) -> Entry:
        entry = self._catalog.get(name)
        if entry is None:
            raise CollectionNotFound(name)
        return entry

    def _shard(self, name: str) -> EdgeCollection:
        return self._open[self._entry(name).name]

    def _changing(self, name: str) -> EdgeCollection:
        shard = self._shard(name)
        self._unflushed.add(name)
        return shard

    def _described(self, entry: Entry) -> CollectionRecord:
        points = self._open[entry.name].count()
        return CollectionRecord(entry.name, entry.space, entry.dimension, entry.fields, points)
