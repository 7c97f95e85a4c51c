"""The client of an index process: VectorIndex over its private socket."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.errors import ImageNotFound
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
from sightline.index.checks import check_json, check_point_ids, check_settable, is_point_id, known_ids
from sightline.index.edge import wire
from sightline.index.edge.channel import EdgeChannel
from sightline.index.filters import Filter, filter_json
from sightline.index.records import (
    facet_counts,
    field_types,
    neighbours_of,
    point_record,
    ranking_of,
    scored_point,
    stored_point,
    vectors_of,
)
from sightline.payload import Source

POINTS_PER_FRAME = 256
NEIGHBOURS_AT_ONCE = 16
PING_PATIENCE_S = 0.5
PING_TIMEOUT_S = 5.0
COPY_TIMEOUT_S = 3600.0
_T = TypeVar("_T")


class EdgeClient:
    """VectorIndex over the socket of an index process. Safe to call from several threads.

    Every call may be repeated without harm, so a call that loses its connection is sent again until
    the process is back, for up to `patience_s` seconds; then it raises Unavailable.
    """

    def __init__(self, socket_path: Path, *, patience_s: float = 15.0, timeout_s: float = 60.0) -> None:
        """Name the socket; nothing is connected yet. `timeout_s` bounds one answer."""
        self._channel = EdgeChannel(socket_path)
        self._patience_s = patience_s
        self._timeout_s = timeout_s

    def ping(self) -> None:
        """Return when the engine answers; waits for it only a moment."""
        patience_s = min(PING_PATIENCE_S, self._patience_s)
        timeout_s = min(PING_TIMEOUT_S, self._timeout_s)
        self._channel.ask(wire.Ping(), wire.Done, patience_s=patience_s, timeout_s=timeout_s)

    def ensure_collection(self, spec: CollectionSpec) -> CollectionInfo:
        """Create the collection and its payload indexes, or check that the one there fits `spec`."""
        request = wire.EnsureCollection(
            spec.name, spec.space, spec.dimension, field_types(spec.fields), spec.quantization, spec.precision
        )
        return self._ask(request, wire.Collections).collections[0].info()

    def collection(self, name: str, *, counted: bool = True) -> CollectionInfo:
        """Describe one collection."""
        request = wire.DescribeCollections(name, counted)
        return self._ask(request, wire.Collections).collections[0].info()

    def collections(self) -> Sequence[CollectionInfo]:
        """Describe all collections, by name."""
        found = self._ask(wire.DescribeCollections(), wire.Collections).collections
        return [record.info() for record in found]

    def switch(self, name: str, version: str) -> None:
        """Have a collection stand for another version from now on."""
        self._ask(wire.Switch(name, version), wire.Done)

    def drop_collection(self, name: str) -> None:
        """Delete a collection and its points."""
        # Asked first, because a repeated drop would find nothing and that would be no error.
        self.collection(name)
        self._ask(wire.DropCollection(name), wire.Done)

    def insert(self, collection: str, points: Sequence[Point]) -> None:
        """Insert points that are not there yet, in order, a few hundred at a time."""
        check_point_ids([point.id for point in points])
        for point in points:
            check_json(point.payload.metadata, "metadata")
        for part in _parts(points):
            self._ask(wire.Insert(collection, [point_record(point) for point in part]), wire.Done)

    def retrieve(
        self, collection: str, ids: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, StoredPoint]:
        """Read points by id; ids that do not exist are missing from the result."""
        found: dict[str, StoredPoint] = {}
        for part in _parts(known_ids(ids)):
            reply = self._ask(wire.Retrieve(collection, list(part), with_vectors), wire.Points)
            found.update((record.id, stored_point(record)) for record in reply.points)
        return found

    def add_sources(self, collection: str, sources: Mapping[str, Mapping[str, Source]]) -> None:
        """Add sources to points, key by key; points that are not there are left out."""
        added = {
            point_id: {key: source.model_dump(mode="json") for key, source in sources[point_id].items()}
            for point_id in known_ids(list(sources))
        }
        self._ask(wire.AddSources(collection, added), wire.Done)

    def remove_sources(self, collection: str, sources: Mapping[str, Collection[str]]) -> set[str]:
        """Take sources off points, delete those that have none left; the ids of those that are gone."""
        gone: set[str] = set()
        for part in _parts(known_ids(list(sources))):
            removed = {point_id: list(sources[point_id]) for point_id in part}
            gone.update(self._ask(wire.RemoveSources(collection, removed), wire.Gone).ids)
        return gone

    def set_payload(self, collection: str, point_id: str, values: Mapping[str, Any]) -> None:
        """Replace top-level payload fields of one point; ImageNotFound if it is not there."""
        check_settable(values)
        if not is_point_id(point_id):
            raise ImageNotFound(collection, point_id)
        self._ask(wire.SetPayload(collection, point_id, dict(values)), wire.Done)

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete points; ids that do not exist are ignored."""
        self._ask(wire.Delete(collection, known_ids(ids)), wire.Done)

    def search(self, collection: str, query: SearchQuery) -> Sequence[ScoredPoint]:
        """The nearest points, best first."""
        request = wire.Search(
            collection=collection,
            ranking=ranking_of(query),
            space=query.space,
            limit=query.limit,
            offset=query.offset,
            filter=_json(query.filter),
            exclude=known_ids(query.exclude),
            exact=query.exact,
            ef=query.ef,
            with_vectors=query.with_vectors,
        )
        return [scored_point(hit) for hit in self._ask(request, wire.Hits).hits]

    def neighbours(self, collection: str, ids: Sequence[str], limit: int) -> dict[str, Sequence[Neighbour]]:
        """The nearest other points of each of some points, a few at a time: searches come in between."""
        found: dict[str, Sequence[Neighbour]] = {}
        known = known_ids(ids)
        for start in range(0, len(known), NEIGHBOURS_AT_ONCE):
            part = known[start : start + NEIGHBOURS_AT_ONCE]
            found |= neighbours_of(
                self._ask(wire.FindNeighbours(collection, part, limit), wire.Near).neighbours
            )
        return found

    def browse(
        self, collection: str, *, sort: SortKey, limit: int, cursor: str | None, filter: Filter | None
    ) -> Page:
        """Points in order of time."""
        request = wire.Browse(collection, sort, limit, cursor, _json(filter))
        reply = self._ask(request, wire.Points)
        return Page([stored_point(record) for record in reply.points], reply.next_cursor)

    def scroll(self, collection: str, *, after: str | None, limit: int) -> Sequence[StoredPoint]:
        """The first points in order of their ids, beyond `after`, with vectors."""
        check_point_ids([after] if after is not None else [])
        reply = self._ask(wire.Scroll(collection, after, limit), wire.Points)
        return [stored_point(record) for record in reply.points]

    def count(self, collection: str, filter: Filter | None = None) -> int:
        """How many points match, exactly."""
        return self._ask(wire.Count(collection, _json(filter)), wire.Number).value

    def facet(
        self, collection: str, field: str, *, limit: int, filter: Filter | None = None
    ) -> Sequence[FacetCount]:
        """The commonest values of a field among points that match."""
        request = wire.Facet(collection, field, limit, _json(filter))
        return facet_counts(self._ask(request, wire.Values).counts)

    def sample(self, collection: str, limit: int) -> NDArray[np.float32]:
        """Vectors of points picked at random."""
        reply = self._ask(wire.Sample(collection, limit), wire.Vectors)
        return vectors_of(reply.vectors, reply.dimension)

    def optimize(self, collection: str) -> None:
        """Have HNSW built in the background; returns at once."""
        self._ask(wire.Optimize(collection), wire.Done)

    def copy_to(self, folder: Path) -> None:
        """Copy all collections into a new folder, from which an index process can be started.

        Each is copied as it is at one moment, and writers to it wait meanwhile. Not repeated by itself.
        """
        self._channel.ask(wire.CopyTo(str(folder)), wire.Done, patience_s=0.0, timeout_s=COPY_TIMEOUT_S)

    def close(self) -> None:
        """Close all connections."""
        self._channel.close()

    def _ask(self, request: wire.Request, answer: type[_T]) -> _T:
        return self._channel.ask(request, answer, patience_s=self._patience_s, timeout_s=self._timeout_s)


def _json(filter: Filter | None) -> bytes | None:
    return None if filter is None else filter_json(filter)


def _parts(items: Sequence[_T]) -> list[Sequence[_T]]:
    """The items in parts that fit a frame; one empty part if there are none."""
    starts = range(0, len(items), POINTS_PER_FRAME) or (0,)
    return [items[start : start + POINTS_PER_FRAME] for start in starts]
