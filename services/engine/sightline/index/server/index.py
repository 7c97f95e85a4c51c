"""VectorIndex on a Qdrant server or cluster."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import structlog
from numpy.typing import NDArray

from sightline.errors import BadRequest, CollectionNotFound, FieldNotIndexed, ImageNotFound
from sightline.index import (
    CollectionInfo,
    CollectionSpec,
    FacetCount,
    Neighbour,
    Page,
    Point,
    ScoredPoint,
    SearchQuery,
    SortKey,
    StoredPoint,
)
from sightline.index.browsing import Listing
from sightline.index.checks import (
    check_collection,
    check_dimension,
    check_facet,
    check_json,
    check_limit,
    check_point_ids,
    check_ranking,
    check_settable,
    check_space,
    check_vector,
    is_point_id,
    known_ids,
    missing_fields,
)
from sightline.index.clauses import Clause, Every, clause_of
from sightline.index.filters import Filter
from sightline.index.placement import Cluster
from sightline.index.records import (
    CollectionRecord,
    PointRecord,
    facet_counts,
    neighbours_of,
    point_record,
    ranking_of,
    scored_point,
    stored_point,
    vectors_of,
)
from sightline.index.server.engine import QdrantServer
from sightline.index.server.points import QdrantPoints
from sightline.index.server.sources import ServerSources
from sightline.index.tuning import Tuning
from sightline.index.versions import first_version, is_version
from sightline.payload import Source

NEIGHBOURS_AT_ONCE = 64
REMEMBER_S = 5.0
"""How long a description serves reads; a write always asks, or it could meet another model's vectors."""
TIMEOUT_S = 10

_log = structlog.get_logger(__name__)


class ServerIndex:
    """VectorIndex over a Qdrant server. Safe to call from several threads."""

    def __init__(
        self, server: QdrantServer, tuning: Tuning | None = None, cluster: Cluster | None = None
    ) -> None:
        """Use a server, which was told the same of `cluster`; nothing is asked yet."""
        self._server = server
        self._tuning = tuning or Tuning()
        self._placement = (cluster or Cluster()).placement
        self._noted: set[tuple[str, str]] = set()
        self._sources = ServerSources(server.points)
        self._remembered: dict[str, tuple[float, CollectionRecord]] = {}

    @classmethod
    def at(
        cls,
        url: str,
        *,
        api_key: str | None = None,
        timeout_s: int = TIMEOUT_S,
        patience_s: float = 0.0,
        tuning: Tuning | None = None,
        more_urls: Sequence[str] = (),
        cluster: Cluster | None = None,
    ) -> Self:
        """Use the server at `url`; nothing is connected yet. For the rest see QdrantServer.at."""
        server = QdrantServer.at(
            url,
            api_key=api_key,
            timeout_s=timeout_s,
            patience_s=patience_s,
            more_urls=more_urls,
            cluster=cluster or Cluster(),
        )
        return cls(server, tuning, cluster)

    def ping(self) -> None:
        """Return when the server answers."""
        self._server.ping()

    def ensure_collection(self, spec: CollectionSpec) -> CollectionInfo:
        """Create the collection and its payload indexes, or check that the one there fits `spec`."""
        check_collection(spec.name, spec.dimension, spec.fields)
        version = self._version(spec.name)
        try:
            held = self._server.collections.describe(version, count=False)
        except CollectionNotFound:
            version, held = self._create(spec)
        check_space(spec.name, held.space, spec.space)
        check_dimension(spec.name, held.dimension, spec.dimension)
        missing = missing_fields(spec.name, held.fields, spec.fields)
        if missing:
            self._server.collections.index_fields(version, missing)
        self._server.collections.keep_layout(version, self._tuning.of(held.quantization))
        if held.placement is not None:
            self._server.collections.keep_fan_out(version, held.placement)
        self._forget(spec.name, version)
        info = self.collection(spec.name)
        self._note_once(info)
        return info

    def _create(self, spec: CollectionSpec) -> tuple[str, CollectionRecord]:
        """Make the version that is asked for, or the first of a collection and the alias for it.

        Two processes that make the same at the same time make the same.
        """
        version = spec.name if is_version(spec.name) else first_version(spec.name)
        layout = self._tuning.of(spec.quantization).layout(0)
        self._server.collections.create(
            version, spec.space, spec.dimension, layout, spec.quantization, spec.precision
        )
        if version != spec.name:
            held = self._server.collections.aliases().get(spec.name)
            if held is None or held not in self._server.collections.names():
                self._server.collections.point_alias(spec.name, version)
        return version, self._server.collections.describe(version, count=False)

    def collection(self, name: str, *, counted: bool = True) -> CollectionInfo:
        """Describe one collection."""
        return self._info(name, self._version(name), counted=counted)

    def _info(self, name: str, version: str, *, counted: bool = True) -> CollectionInfo:
        held = self._server.collections.describe(version, count=counted).info()
        note = None if held.placement is None else self._placement.unlike(held.placement)
        return replace(
            held,
            name=name,
            version=version,
            indexed=held.indexed if counted else 0,
            placement_note=note,
        )

    def collections(self) -> Sequence[CollectionInfo]:
        """Describe all collections that Sightline made, by name."""
        versions = {name: name for name in self._server.collections.names() if not is_version(name)}
        found = []
        for name, version in sorted((versions | self._server.collections.aliases()).items()):
            try:
                found.append(self._info(name, version))
            except (BadRequest, CollectionNotFound):
                continue  # somebody else's, for a server may serve several, or dropped just now
        return found

    def switch(self, name: str, version: str) -> None:
        """Have a collection stand for another version from now on."""
        self._server.collections.describe(version, count=False)
        if self._version(name) == name:
            self._server.collections.describe(name, count=False)
            raise BadRequest(
                f"Collection '{name}' was made before collections had versions, and a Qdrant server gives no "
                f"other the name of one that it has. Ingest its pictures into a new collection, or see "
                f"docs/migrations.md for how to rename it."
            )
        self._server.collections.point_alias(name, version)
        self._forget(name)

    def drop_collection(self, name: str) -> None:
        """Delete a collection and its points."""
        version = self._version(name)
        try:
            self._described(version)
            # First the points: a name without them can be dropped again, and points without a name not.
            self._server.collections.drop(version)
        except CollectionNotFound:
            if version == name:
                raise
        for alias, one in self._server.collections.aliases().items():
            if one == version:
                self._server.collections.delete_alias(alias)
        self._forget(name, version)

    def _version(self, name: str) -> str:
        """The version that a name stands for; its own where there is none."""
        return name if is_version(name) else self._server.collections.aliases().get(name, name)

    def _forget(self, *names: str) -> None:
        for name in names:
            self._remembered.pop(name, None)

    def insert(self, collection: str, points: Sequence[Point]) -> None:
        """Insert points that are not there yet and leave those that are untouched."""
        held = self._described(collection)
        check_point_ids([point.id for point in points])
        for point in points:
            check_space(collection, held.space, point.payload.space)
            check_vector(collection, held.dimension, point.vector)
            check_json(point.payload.metadata, "metadata")
        if points:
            self._server.points.insert(collection, [point_record(point) for point in points])

    def retrieve(
        self, collection: str, ids: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, StoredPoint]:
        """Read points by id; ids that do not exist are missing from the result."""
        self._known(collection)
        found = self._server.points.retrieve(collection, known_ids(ids), with_vectors=with_vectors)
        return {record.id: stored_point(record) for record in found}

    def add_sources(self, collection: str, sources: Mapping[str, Mapping[str, Source]]) -> None:
        """Add sources to points, key by key; points that are not there are left out."""
        self._known(collection)
        added = {point_id: sources[point_id] for point_id in known_ids(list(sources))}
        if added:
            self._sources.add(collection, added)

    def remove_sources(self, collection: str, sources: Mapping[str, Collection[str]]) -> set[str]:
        """Take sources off points, delete those that have none left; the ids of those that are gone."""
        self._known(collection)
        removed = {point_id: sources[point_id] for point_id in known_ids(list(sources))}
        return self._sources.remove(collection, removed) if removed else set()

    def set_payload(self, collection: str, point_id: str, values: Mapping[str, Any]) -> None:
        """Replace top-level payload fields of one point; ImageNotFound if it is not there."""
        self._known(collection)
        check_settable(values)
        if not (
            is_point_id(point_id) and self._server.points.retrieve(collection, [point_id], with_vectors=False)
        ):
            raise ImageNotFound(collection, point_id)
        self._server.points.merge_payload(collection, {point_id: values})

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete points; ids that do not exist are ignored."""
        self._known(collection)
        known = known_ids(ids)
        if known:
            self._server.points.delete(collection, known)

    def search(self, collection: str, query: SearchQuery) -> Sequence[ScoredPoint]:
        """The nearest points, best first."""
        check_limit(query.limit, query.offset)
        held = self._known(collection)
        check_space(collection, held.space, query.space)
        ranking = ranking_of(query)
        check_ranking(collection, held.dimension, ranking)
        hits = self._server.points.search(
            collection,
            ranking,
            clause_of(query.filter, held.fields, exclude=known_ids(query.exclude)),
            limit=query.limit,
            offset=query.offset,
            exact=query.exact,
            ef=query.ef,
            with_vectors=query.with_vectors,
        )
        return [scored_point(hit) for hit in hits]

    def neighbours(self, collection: str, ids: Sequence[str], limit: int) -> dict[str, Sequence[Neighbour]]:
        """The nearest other points of each of some points."""
        check_limit(limit)
        self._known(collection)
        found: dict[str, Sequence[Neighbour]] = {}
        known = known_ids(ids)
        for start in range(0, len(known), NEIGHBOURS_AT_ONCE):
            part = known[start : start + NEIGHBOURS_AT_ONCE]
            found |= neighbours_of(self._server.points.neighbours(collection, part, limit))
        return found

    def browse(
        self, collection: str, *, sort: SortKey, limit: int, cursor: str | None, filter: Filter | None
    ) -> Page:
        """Points in order of time."""
        check_limit(limit)
        fields = self._known(collection).fields
        listing = Listing(collection, sort, filter)
        if listing.field not in fields:
            raise FieldNotIndexed(listing.field, tuple(fields))
        reader = _Reader(self._server.points, collection)
        points, next_cursor = listing.page(reader, clause_of(filter, fields), limit=limit, cursor=cursor)
        return Page([stored_point(record) for record in points], next_cursor)

    def scroll(self, collection: str, *, after: str | None, limit: int) -> Sequence[StoredPoint]:
        """The first points in order of their ids, beyond `after`, with vectors."""
        check_limit(limit)
        check_point_ids([after] if after is not None else [])
        self._known(collection)
        found = self._server.points.by_id(collection, Every(), after=after, limit=limit, with_vectors=True)
        return [stored_point(record) for record in found]

    def count(self, collection: str, filter: Filter | None = None) -> int:
        """How many points match, exactly."""
        return self._server.points.count(collection, clause_of(filter, self._known(collection).fields))

    def facet(
        self, collection: str, field: str, *, limit: int, filter: Filter | None = None
    ) -> Sequence[FacetCount]:
        """The commonest values of a field among points that match."""
        check_limit(limit)
        fields = self._known(collection).fields
        check_facet(field, fields)
        return facet_counts(
            self._server.points.facet(collection, field, clause_of(filter, fields), limit=limit)
        )

    def sample(self, collection: str, limit: int) -> NDArray[np.float32]:
        """Vectors of points picked at random."""
        check_limit(limit)
        dimension = self._known(collection).dimension
        return vectors_of(self._server.points.sample(collection, limit), dimension)

    def optimize(self, collection: str) -> None:
        """Check that the collection is there: the server builds HNSW by itself."""
        self._known(collection)

    def close(self) -> None:
        """Close the client's connections."""
        self._server.close()

    def _note_once(self, info: CollectionInfo) -> None:
        note = (info.name, info.placement_note or "")
        if info.placement_note is not None and note not in self._noted:
            self._noted.add(note)
            _log.warning("collection_placed_otherwise", collection=info.name, note=info.placement_note)

    def _known(self, name: str) -> CollectionRecord:
        until, record = self._remembered.get(name, (0.0, None))
        if record is None or until < time.monotonic():
            return self._described(name)
        return record

    def _described(self, name: str) -> CollectionRecord:
        self._remembered.pop(name, None)
        record = self._server.collections.describe(name, count=False)
        self._remembered[name] = (time.monotonic() + REMEMBER_S, record)
        return record


class _Reader:
    """One collection of a server, to be listed in order of time."""

    def __init__(self, points: QdrantPoints, collection: str) -> None:
        self._points = points
        self._collection = collection

    def by_time(self, field: str, *, descending: bool, clause: Clause, limit: int) -> list[PointRecord]:
        return self._points.by_time(
            self._collection, field, descending=descending, clause=clause, limit=limit
        )

    def by_id(self, clause: Clause, *, after: str | None, limit: int) -> list[PointRecord]:
        return self._points.by_id(self._collection, clause, after=after, limit=limit)
