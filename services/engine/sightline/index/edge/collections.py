"""All collections of an embedded index, in the process that holds them."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from sightline.errors import CollectionNotFound, FieldNotIndexed, ImageNotFound
from sightline.index import SortKey
from sightline.index.browsing import Listing
from sightline.index.checks import (
    check_collection,
    check_dimension,
    check_facet,
    check_limit,
    check_ranking,
    check_space,
    check_vector,
    missing_fields,
)
from sightline.index.clauses import Every, clause_of
from sightline.index.edge.catalog import Entry
from sightline.index.edge.copying import copy_index
from sightline.index.edge.engine import EdgeShard
from sightline.index.edge.open_shards import OpenShards, added_fields
from sightline.index.edge.shard import (
    DeletePoints,
    IndexFields,
    InsertPoints,
    MergePayload,
    RemovePayload,
    Shard,
    ShardClosed,
)
from sightline.index.filters import Filter
from sightline.index.ranking import Ranking
from sightline.index.records import CollectionRecord, Hit, NearPoint, PointRecord, ValueCount, vector_of
from sightline.index.tuning import Tuning
from sightline.payload import FieldType
from sightline.settings import Precision, Quantization

_log = structlog.get_logger(__name__)


class EdgeCollections:
    """The operations of VectorIndex on one data folder, over records. Safe to call from several threads."""

    def __init__(self, folder: Path, tuning: Tuning | None = None, patience_s: float = 0.0) -> None:
        """Open every collection; raises SettingsError with a sentence if the folder cannot be used.

        Raises Unavailable if that may pass. A process that has the folder may take `patience_s` to end.
        """
        self._folder = folder
        self._tuning = tuning or Tuning()
        self.shards = OpenShards(folder, patience_s)

    def ensure(
        self,
        name: str,
        space: str,
        dimension: int,
        fields: Mapping[str, FieldType],
        quantization: Quantization | None = None,
        precision: Precision | None = None,
    ) -> CollectionRecord:
        """Create the collection, or check the one there and index the fields it lacks."""
        check_collection(name, dimension, fields)
        layout = self._tuning.of(quantization).layout(0)

        def new_entry(version: str, folder: str) -> Entry:
            return Entry(version, folder, space, dimension, dict(fields), None, quantization, precision)

        self.shards.make(name, new_entry, lambda path, _: EdgeShard.create(path, dimension, fields, layout))
        with self.shards.change(name) as held:
            entry = held.entry
            check_space(name, entry.space, space)
            check_dimension(name, entry.dimension, dimension)
            new = missing_fields(name, entry.fields, fields)
            if new:
                held.apply([IndexFields(new)])
                self.shards.note(held, added_fields(entry, new))
        return self.describe(name)

    def describe(self, name: str, *, counted: bool = True) -> CollectionRecord:
        """Describe one collection; its points are 0 unless they are to be counted."""
        return self.shards.read(name, partial(_described, name, counted))

    def describe_all(self) -> list[CollectionRecord]:
        """Describe all collections, by name."""
        found = []
        for name in self.shards.names():
            with suppress(CollectionNotFound):  # dropped just now
                found.append(self.describe(name))
        return found

    def switch(self, name: str, version: str) -> None:
        """Have a collection stand for another version."""
        self.shards.switch(name, version)

    def drop(self, name: str) -> None:
        """Delete a collection and its points, if it is there."""
        self.shards.drop(name)

    def insert(self, name: str, points: Sequence[PointRecord]) -> None:
        """Insert points that are not there yet."""
        with self.shards.change(name) as held:
            for point in points:
                check_space(name, held.entry.space, str(point.payload.get("space")))
                check_vector(name, held.entry.dimension, vector_of(point.vector or b""))
            held.apply([InsertPoints(points)])

    def retrieve(self, name: str, ids: Sequence[str], *, with_vectors: bool) -> list[PointRecord]:
        """Read points by id."""
        return self.shards.read(name, lambda _, shard: shard.retrieve(ids, with_vectors=with_vectors))

    def add_sources(self, name: str, sources: Mapping[str, Mapping[str, Any]]) -> None:
        """Add sources to points, key by key; points that are not there are left out."""
        with self.shards.change(name) as held:
            held.apply([MergePayload(point_id, added, "sources") for point_id, added in sources.items()])

    def remove_sources(self, name: str, sources: Mapping[str, Collection[str]]) -> list[str]:
        """Take sources off points, delete those that have none left; the ids of those that are gone."""
        with self.shards.change(name) as held:
            held.apply(
                [
                    RemovePayload(point_id, [f"sources.{key}" for key in keys])
                    for point_id, keys in sources.items()
                ]
            )
            left = held.shard.retrieve(list(sources), with_vectors=False)
            kept = {record.id for record in left if record.payload.get("sources")}
            held.apply([DeletePoints([record.id for record in left if record.id not in kept])])
            return [point_id for point_id in sources if point_id not in kept]

    def set_payload(self, name: str, point_id: str, values: Mapping[str, Any]) -> None:
        """Replace top-level payload fields of one point."""
        with self.shards.change(name) as held:
            if not held.shard.retrieve([point_id], with_vectors=False):
                raise ImageNotFound(name, point_id)
            held.apply([MergePayload(point_id, values)])

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete points."""
        with self.shards.change(name) as held:
            held.apply([DeletePoints(ids)])

    def search(
        self,
        name: str,
        ranking: Ranking,
        *,
        space: str,
        limit: int,
        offset: int,
        filter: Filter | None,
        exclude: Sequence[str],
        exact: bool,
        ef: int,
        with_vectors: bool,
    ) -> list[Hit]:
        """The first points of a ranking."""
        check_limit(limit, offset)

        def ask(entry: Entry, shard: Shard) -> list[Hit]:
            check_space(name, entry.space, space)
            check_ranking(name, entry.dimension, ranking)
            clause = clause_of(filter, entry.fields, exclude=exclude)
            return shard.search(
                ranking,
                clause,
                limit=limit,
                offset=offset,
                exact=exact,
                ef=ef,
                with_vectors=with_vectors,
            )

        return self.shards.read(name, ask)

    def neighbours(self, name: str, ids: Sequence[str], limit: int) -> dict[str, list[NearPoint]]:
        """The nearest other points of each of some points, best first."""
        check_limit(limit)
        return self.shards.read(name, lambda _, shard: shard.neighbours(ids, limit))

    def browse(
        self, name: str, *, sort: SortKey, limit: int, cursor: str | None, filter: Filter | None
    ) -> tuple[list[PointRecord], str | None]:
        """One page in order of time, and the cursor of the next."""
        check_limit(limit)
        listing = Listing(name, sort, filter)

        def ask(entry: Entry, shard: Shard) -> tuple[list[PointRecord], str | None]:
            if listing.field not in entry.fields:
                raise FieldNotIndexed(listing.field, tuple(entry.fields))
            return listing.page(shard, clause_of(filter, entry.fields), limit=limit, cursor=cursor)

        return self.shards.read(name, ask)

    def scroll(self, name: str, *, after: str | None, limit: int) -> list[PointRecord]:
        """The first points in order of their ids, beyond `after`, with vectors."""
        check_limit(limit)

        def ask(_: Entry, shard: Shard) -> list[PointRecord]:
            return shard.by_id(Every(), after=after, limit=limit, with_vectors=True)

        return self.shards.read(name, ask)

    def count(self, name: str, filter: Filter | None) -> int:
        """How many points match."""
        return self.shards.read(name, lambda entry, shard: shard.count(clause_of(filter, entry.fields)))

    def facet(self, name: str, field: str, *, limit: int, filter: Filter | None) -> list[ValueCount]:
        """The commonest values of a field among points that match."""
        check_limit(limit)

        def ask(entry: Entry, shard: Shard) -> list[ValueCount]:
            check_facet(field, entry.fields)
            return shard.facet(field, clause_of(filter, entry.fields), limit=limit)

        return self.shards.read(name, ask)

    def sample(self, name: str, limit: int) -> tuple[int, list[bytes]]:
        """The dimension, and vectors of random points."""
        check_limit(limit)
        return self.shards.read(name, lambda entry, shard: (entry.dimension, shard.sample(limit)))

    def optimize(self, name: str) -> None:
        """Have HNSW built in the background."""
        with self.shards.change(name) as held:
            held.build_asked = True
        self.shards.wake.set()

    def copy_to(self, target: Path) -> None:
        """Copy all collections into a new folder; raises Unavailable and StorageFull as disks do."""
        copy_index(self.shards, target)

    def flush(self) -> None:
        """Flush the collections that changed since the last flush; one that cannot be is in the log."""
        for held in self.shards.all():
            try:
                held.flush(self.shards.path(held.entry))
            except ShardClosed:
                continue  # dropped just now
            except BaseException:
                # The engine raises bare Exception, and a panic of it is not even that; the others go on.
                _log.exception("index_not_flushed", collection=held.entry.name)

    def close(self) -> None:
        """Flush and close everything and give the folder free; afterwards every call raises IndexClosed."""
        self.shards.close()


def _described(name: str, counted: bool, entry: Entry, shard: Shard) -> CollectionRecord:
    return CollectionRecord(
        name,
        entry.space,
        entry.dimension,
        entry.fields,
        shard.count() if counted else 0,
        shard.size().indexed if counted else 0,
        entry.quantization,
        precision=entry.precision,
        version=entry.name,
        uid=entry.folder,
    )
