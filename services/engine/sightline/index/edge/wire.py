"""The messages between an index process and its clients: one request, one reply, both MessagePack."""

from typing import Any, TypeAlias

import msgspec

from sightline import errors
from sightline.errors import SightlineError, Unavailable
from sightline.index import SortKey
from sightline.index.ranking import Ranking
from sightline.index.records import CollectionRecord, Hit, NearPoint, PointRecord, ValueCount
from sightline.payload import FieldType
from sightline.settings import SEARCH_EF, Precision, Quantization


class Ping(msgspec.Struct, tag=True):
    """Answer with Done."""


class EnsureCollection(msgspec.Struct, tag=True):
    """Create or check a collection; answered by Collections with one entry."""

    name: str
    space: str
    dimension: int
    fields: dict[str, FieldType]
    quantization: Quantization | None = None
    precision: Precision | None = None


class DescribeCollections(msgspec.Struct, tag=True):
    """Describe one collection, or all of them; answered by Collections. Points are counted if asked for."""

    name: str | None = None
    counted: bool = True


class Switch(msgspec.Struct, tag=True):
    """Have a collection stand for another version; answered by Done."""

    name: str
    version: str


class DropCollection(msgspec.Struct, tag=True):
    """Delete a collection if it is there; answered by Done."""

    name: str


class Insert(msgspec.Struct, tag=True):
    """Insert points that are not there yet; answered by Done."""

    collection: str
    points: list[PointRecord]


class Retrieve(msgspec.Struct, tag=True):
    """Read points by id; answered by Points."""

    collection: str
    ids: list[str]
    with_vectors: bool


class AddSources(msgspec.Struct, tag=True):
    """Add sources by point id and source key; answered by Done."""

    collection: str
    sources: dict[str, dict[str, Any]]


class RemoveSources(msgspec.Struct, tag=True):
    """Take sources off points, by point id and source key; answered by Gone."""

    collection: str
    sources: dict[str, list[str]]


class SetPayload(msgspec.Struct, tag=True):
    """Replace payload fields of a point; answered by Done."""

    collection: str
    point_id: str
    values: dict[str, Any]


class Delete(msgspec.Struct, tag=True):
    """Delete points; answered by Done."""

    collection: str
    ids: list[str]


class Search(msgspec.Struct, tag=True):
    """The first points of a ranking; `filter` is the JSON of a filter tree; answered by Hits."""

    collection: str
    ranking: Ranking
    space: str
    limit: int
    offset: int
    filter: bytes | None
    exclude: list[str]
    exact: bool
    with_vectors: bool
    ef: int = SEARCH_EF


class FindNeighbours(msgspec.Struct, tag=True):
    """The nearest others of points; answered by Near."""

    collection: str
    ids: list[str]
    limit: int


class Browse(msgspec.Struct, tag=True):
    """One page in order of time; answered by Points."""

    collection: str
    sort: SortKey
    limit: int
    cursor: str | None
    filter: bytes | None


class Scroll(msgspec.Struct, tag=True):
    """Points with vectors in order of their ids; answered by Points."""

    collection: str
    after: str | None
    limit: int


class Count(msgspec.Struct, tag=True):
    """How many points match; answered by Number."""

    collection: str
    filter: bytes | None


class Facet(msgspec.Struct, tag=True):
    """The commonest values of a field; answered by Values."""

    collection: str
    field: str
    limit: int
    filter: bytes | None


class Sample(msgspec.Struct, tag=True):
    """Vectors of random points; answered by Vectors."""

    collection: str
    limit: int


class CopyTo(msgspec.Struct, tag=True):
    """Copy all collections, each as it is at one moment, into a new folder; answered by Done."""

    folder: str


class Optimize(msgspec.Struct, tag=True):
    """Begin to build HNSW; answered by Done."""

    collection: str


Request: TypeAlias = (
    Ping
    | EnsureCollection
    | DescribeCollections
    | DropCollection
    | Switch
    | Insert
    | Retrieve
    | AddSources
    | RemoveSources
    | SetPayload
    | Delete
    | Search
    | FindNeighbours
    | Browse
    | Scroll
    | Count
    | Facet
    | Sample
    | Optimize
    | CopyTo
)


class Done(msgspec.Struct, tag=True):
    """The request has been carried out."""


class Collections(msgspec.Struct, tag=True):
    """Descriptions of collections."""

    collections: list[CollectionRecord]


class Points(msgspec.Struct, tag=True):
    """Points read, and the cursor of the next page of a listing."""

    points: list[PointRecord]
    next_cursor: str | None = None


class Gone(msgspec.Struct, tag=True):
    """Ids of points that are not there any more."""

    ids: list[str]


class Hits(msgspec.Struct, tag=True):
    """Search results, best first."""

    hits: list[Hit]


class Near(msgspec.Struct, tag=True):
    """The nearest others of points, by id."""

    neighbours: dict[str, list[NearPoint]]


class Number(msgspec.Struct, tag=True):
    """A count."""

    value: int


class Values(msgspec.Struct, tag=True):
    """Values and their counts."""

    counts: list[ValueCount]


class Vectors(msgspec.Struct, tag=True):
    """Vectors as raw bytes."""

    dimension: int
    vectors: list[bytes]


class Failed(msgspec.Struct, tag=True):
    """The request was refused: the class of the error, its sentence and its attributes."""

    error: str
    sentence: str
    attributes: dict[str, Any]


Reply: TypeAlias = Done | Collections | Points | Gone | Hits | Near | Number | Values | Vectors | Failed


def failed(error: SightlineError) -> Failed:
    """The message for an error of our tree."""
    return Failed(type(error).__name__, str(error), vars(error))


def error_of(reply: Failed) -> SightlineError:
    """The error that a message stands for, with its class, sentence and attributes."""
    kind = getattr(errors, reply.error, None)
    if not (isinstance(kind, type) and issubclass(kind, SightlineError)):
        return Unavailable("the index", f"it failed with an unknown error: {reply.sentence}")
    # Not by its constructor: that takes what the sentence was made from.
    error = kind.__new__(kind, reply.sentence)
    for name, value in reply.attributes.items():
        setattr(error, name, tuple(value) if isinstance(value, list) else value)
    return error
