"""The messages between an index process and the process of one shard: one call, one reply, MessagePack."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from sightline.index.clauses import Clause
from sightline.index.edge.shard import Change, ShardSize
from sightline.index.ranking import Ranking
from sightline.index.records import Hit, NearPoint, PointRecord, ValueCount


class Apply(msgspec.Struct, tag=True):
    """Make changes, in order; answered by Done."""

    changes: Sequence[Change]


class Retrieve(msgspec.Struct, tag=True):
    """Read points by id; answered by Found."""

    ids: Sequence[str]
    with_vectors: bool


class Search(msgspec.Struct, tag=True):
    """The first points of a ranking; answered by Ranked."""

    ranking: Ranking
    clause: Clause | None
    limit: int
    offset: int
    exact: bool
    with_vectors: bool
    ef: int


class FindNeighbours(msgspec.Struct, tag=True):
    """The nearest others of points; answered by Near."""

    ids: Sequence[str]
    limit: int


class ByTime(msgspec.Struct, tag=True):
    """Points in order of a time field; answered by Found."""

    field: str
    descending: bool
    clause: Clause
    limit: int


class ById(msgspec.Struct, tag=True):
    """Points in order of their ids; answered by Found."""

    clause: Clause
    after: str | None
    limit: int
    with_vectors: bool


class Count(msgspec.Struct, tag=True):
    """How many points match; answered by Counted."""

    clause: Clause | None


class Facet(msgspec.Struct, tag=True):
    """The commonest values of a field; answered by Values."""

    field: str
    clause: Clause | None
    limit: int


class Sample(msgspec.Struct, tag=True):
    """Vectors of random points; answered by Vectors."""

    limit: int


class Size(msgspec.Struct, tag=True):
    """How large the shard is; answered by ShardSize."""


class Flush(msgspec.Struct, tag=True):
    """Flush the shard; answered by Done."""


class Close(msgspec.Struct, tag=True):
    """Flush and release the shard; answered by Done, the last reply."""


Call: TypeAlias = (
    Apply | Retrieve | Search | FindNeighbours | ByTime | ById | Count | Facet | Sample | Size | Flush | Close
)


class Done(msgspec.Struct, tag=True):
    """The call has been carried out; also the first message of a process, when its shard is open."""


class Found(msgspec.Struct, tag=True):
    """Points read."""

    points: list[PointRecord]


class Ranked(msgspec.Struct, tag=True):
    """Search results, best first."""

    hits: list[Hit]


class Near(msgspec.Struct, tag=True):
    """The nearest others of points, by id."""

    neighbours: dict[str, list[NearPoint]]


class Counted(msgspec.Struct, tag=True):
    """A count."""

    value: int


class Values(msgspec.Struct, tag=True):
    """Values and their counts."""

    counts: list[ValueCount]


class Vectors(msgspec.Struct, tag=True):
    """Vectors as raw bytes."""

    vectors: list[bytes]


class Failed(msgspec.Struct, tag=True):
    """The engine failed, and what it said."""

    reason: str


Reply: TypeAlias = Done | Found | Ranked | Near | Counted | Values | Vectors | ShardSize | Failed
