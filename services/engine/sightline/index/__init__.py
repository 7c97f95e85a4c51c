"""The vector index: one protocol over Qdrant Edge (embedded) and a Qdrant server."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.index.filters import Filter
from sightline.index.placement import Placement
from sightline.payload import FieldType, Payload, Source
from sightline.settings import SEARCH_EF, Precision, Quantization

SortKey = Literal["sort_at", "-sort_at", "indexed_at", "-indexed_at"]
"""Orders of browsing; a leading minus means newest first."""


@dataclass(frozen=True)
class CollectionSpec:
    """What a collection is made with. Distance is always cosine.

    A name with a tag (index/versions.py) makes a version that no collection stands for yet.
    """

    name: str
    space: str
    dimension: int
    fields: Mapping[str, FieldType]
    """Indexed payload fields; created before data, or HNSW would not be filter-aware."""
    quantization: Quantization | None = None
    """How vectors are compressed, decided when the collection is made; None: as the settings say."""
    precision: Precision | None = None
    """Arithmetic of the model that encodes its pictures; None: as the settings say."""


@dataclass(frozen=True)
class CollectionInfo:
    """What a collection is now."""

    name: str
    space: str
    dimension: int
    fields: Mapping[str, FieldType]
    points: int
    indexed: int = 0
    """How many vectors HNSW covers; the others are searched one by one. Engines count roughly."""
    quantization: Quantization | None = None
    """What it was made with; None: as the settings say."""
    placement: Placement | None = None
    """Its shards and replicas; None: it is kept by an index process, which has none."""
    placement_note: str | None = None
    """A sentence about what of it is not as the settings say."""
    precision: Precision | None = None
    """What it was made with; None: as the settings say."""
    version: str = ""
    """Where its points are: its version now, or its own name where it was made before there were versions."""
    uid: str = ""
    """Unlike that of any other version, even of the same name; empty for those made before there was one."""


@dataclass(frozen=True)
class Point:
    """A point to insert: `vector` is float32, shape (dimension,), of length 1."""

    id: str
    vector: NDArray[np.float32]
    payload: Payload


@dataclass(frozen=True)
class StoredPoint:
    """A point as read back; `vector` only when it was asked for."""

    id: str
    payload: Payload
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class ScoredPoint:
    """A search result; `score` is the cosine with the query vector, or what a query with `positives` orders
    by. `vector` only if it was asked for."""

    id: str
    score: float
    payload: Payload
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Page:
    """One page of a listing; `next_cursor` is None on the last page."""

    points: Sequence[StoredPoint]
    next_cursor: str | None


@dataclass(frozen=True)
class FacetCount:
    """A value of a field, and how many points have it."""

    value: str | int | bool
    count: int


@dataclass(frozen=True)
class Neighbour:
    """A point near another one, and the cosine of the two."""

    id: str
    score: float


@dataclass(frozen=True)
class SearchQuery:
    """A nearest-neighbour query. `space` names the model of the vectors and must be the collection's.

    With `positives` (unit vectors, shape (n, dimension)) points are ordered by the best of their cosines
    with these, those nearer to one of the `negatives` behind; `vector` has no part in it then. With a
    `diversity` over 0 and up to 1, points that are like better ones stand further behind; it reaches the
    first CANDIDATES points.
    """

    vector: NDArray[np.float32]
    space: str
    limit: int
    offset: int = 0
    filter: Filter | None = None
    exclude: Sequence[str] = ()
    """Point ids left out of the result (pictures that are part of the query)."""
    exact: bool = False
    ef: int = SEARCH_EF
    """Candidates kept while the graph is walked, at least as many as points are asked for."""
    with_vectors: bool = False
    diversity: float = 0.0
    positives: NDArray[np.float32] | None = None
    negatives: NDArray[np.float32] | None = None


class VectorIndex(Protocol):
    """Collections of points. Synchronous, safe to call from several threads.

    Every call takes the name of a collection, or of one of its versions.

    Every call raises Unavailable when the engine does not answer, CollectionNotFound for a name that
    does not exist, FieldNotIndexed for a filter on a field without an index, and SpaceMismatch
    where vectors of another space are offered.
    """

    def ping(self) -> None:
        """Return when the engine answers."""

    def ensure_collection(self, spec: CollectionSpec) -> CollectionInfo:
        """Create the collection and its payload indexes, or check that the one there fits `spec`.

        Doing it twice equals doing it once; fields that the one there lacks are indexed now, and it keeps the
        quantization it was made with. Raises
        SpaceMismatch if it holds another space, and BadRequest if it has another dimension or a field
        of another type, or if `spec` cannot be.
        """

    def collection(self, name: str, *, counted: bool = True) -> CollectionInfo:
        """Describe one collection; `points` and `indexed` are 0 unless they are to be counted."""

    def collections(self) -> Sequence[CollectionInfo]:
        """Describe all collections, by name; versions that no collection stands for are left out."""

    def switch(self, name: str, version: str) -> None:
        """Have a collection stand for another version from now on, at once and for everybody.

        Points stay where they are. Raises BadRequest for a collection that has no versions, because it was
        made before there were any, on a Qdrant server.
        """

    def drop_collection(self, name: str) -> None:
        """Delete a collection and the points of the version that it stands for, or a version alone."""

    def insert(self, collection: str, points: Sequence[Point]) -> None:
        """Insert points that are not there yet and leave those that are untouched.

        Returns when they would survive a crash of the engine. Every point's `payload.space` must be
        the collection's. Raises BadRequest for a vector of another shape or without direction, an id
        that is no UUID, and metadata that JSON cannot carry; then none of the points is inserted, except
        those of earlier parts of a long sequence.
        """

    def retrieve(
        self, collection: str, ids: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, StoredPoint]:
        """Read points by id; ids that do not exist are missing from the result."""

    def add_sources(self, collection: str, sources: Mapping[str, Mapping[str, Source]]) -> None:
        """Add sources to points, by point id and source key, key by key (nothing is lost).

        Points that are not there (any more) are left out. A point whose last other source is removed at
        the same time either keeps the new one, or is gone for whoever reads it back afterwards.
        """

    def remove_sources(self, collection: str, sources: Mapping[str, Collection[str]]) -> set[str]:
        """Take sources off points, by point id and source key; a point that has none left is deleted.

        Returns the ids of those that are not there afterwards, whoever deleted them.
        """

    def set_payload(self, collection: str, point_id: str, values: Mapping[str, Any]) -> None:
        """Replace top-level payload fields of one point (`tags`, `metadata`); JSON values.

        Raises ImageNotFound if it is not there, and BadRequest for a field that makes the point what it
        is (`space`, `sha256`, …) or a value that does not fit the field.
        """

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete points; ids that do not exist are ignored."""

    def search(self, collection: str, query: SearchQuery) -> Sequence[ScoredPoint]:
        """The nearest points, best first.

        Raises BadRequest for a vector of another shape, a limit below 1 and an offset below 0.
        """

    def neighbours(self, collection: str, ids: Sequence[str], limit: int) -> dict[str, Sequence[Neighbour]]:
        """The nearest other points of each of some points, best first; ids that do not exist are missing."""

    def browse(
        self, collection: str, *, sort: SortKey, limit: int, cursor: str | None, filter: Filter | None
    ) -> Page:
        """Points in order of time. `cursor` is a `next_cursor` of the same call, or None.

        Raises BadRequest for a cursor this index did not make.
        """

    def scroll(self, collection: str, *, after: str | None, limit: int) -> Sequence[StoredPoint]:
        """The first points in order of their ids, beyond `after` (None: from the first), with vectors.

        Points that come or go meanwhile are seen or not. Raises BadRequest for an `after` that is no id.
        """

    def count(self, collection: str, filter: Filter | None = None) -> int:
        """How many points match, exactly."""

    def facet(
        self, collection: str, field: str, *, limit: int, filter: Filter | None = None
    ) -> Sequence[FacetCount]:
        """The commonest values of a field among points that match, exactly counted, commonest first.

        Raises FieldNotIndexed, and BadRequest for a field whose values are not counted: only texts, whole
        numbers and truth values are.
        """

    def sample(self, collection: str, limit: int) -> NDArray[np.float32]:
        """Vectors of points picked at random, each at most once: float32, shape (n, dimension), of length 1.

        `n` is `limit`, or what there is if that is less.
        """

    def optimize(self, collection: str) -> None:
        """Have vectors that HNSW does not cover taken into it, beside all other work; returns at once.

        An index does this by itself when enough of them have come together, and a Qdrant server always.
        """

    def close(self) -> None:
        """Release connections; the object cannot be used afterwards."""
