"""One shard: the points of a collection in an engine, wherever the engine runs, and changes to it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from sightline.index.clauses import Clause
from sightline.index.ranking import Ranking
from sightline.index.records import Hit, NearPoint, PointRecord, ValueCount
from sightline.payload import FieldType
from sightline.settings import SEARCH_EF


class InsertPoints(msgspec.Struct, frozen=True, tag=True):
    """Insert points that are not there yet; their vectors have been checked."""

    points: Sequence[PointRecord]


class MergePayload(msgspec.Struct, frozen=True, tag=True):
    """Set entries of a point's payload, or of the object at `key`; nothing if there is no such point."""

    point_id: str
    values: Mapping[str, Any]
    key: str | None = None


class RemovePayload(msgspec.Struct, frozen=True, tag=True):
    """Remove entries of a point's payload by their paths; nothing if there is no such point or entry."""

    point_id: str
    paths: Sequence[str]


class DeletePoints(msgspec.Struct, frozen=True, tag=True):
    """Delete points; ids that do not exist are ignored."""

    ids: Sequence[str]


class IndexFields(msgspec.Struct, frozen=True, tag=True):
    """Make a payload index for each field; one that is there stays."""

    fields: Mapping[str, FieldType]


Change: TypeAlias = InsertPoints | MergePayload | RemovePayload | DeletePoints | IndexFields
"""Making a change twice in a row equals making it once."""


class ShardSize(msgspec.Struct, frozen=True, tag=True):
    """How many points a shard has and how many vectors its HNSW covers, as the engine counts them."""

    points: int
    indexed: int


class ShardClosed(Exception):
    """A call came after `close`: another shard may have taken this one's place."""


class ShardFailed(Exception):
    """The shard does not answer; `str()` says why."""


class ShardEnded(ShardFailed):
    """The shard's process ended again and again; nothing says that its folder is at fault."""


class ShardRefused(ShardFailed):
    """The engine refused this call; `str()` is what it said."""


class Shard(Protocol):
    """A shard's operations; safe to call from several threads. Raises ShardClosed and ShardFailed.

    Changes are in the write-ahead log when `apply` returns, so they survive the end of the process.
    """

    def apply(self, changes: Sequence[Change]) -> None:
        """Make changes, in order."""

    def retrieve(self, ids: Sequence[str], *, with_vectors: bool) -> list[PointRecord]:
        """Read points by id."""

    def search(
        self,
        ranking: Ranking,
        clause: Clause | None,
        *,
        limit: int,
        offset: int,
        exact: bool,
        ef: int = SEARCH_EF,
        with_vectors: bool = False,
    ) -> list[Hit]:
        """The first points of a ranking; `exact` compares with every original vector.

        `ef` is how many candidates are kept while the graph is walked.
        """

    def neighbours(self, ids: Sequence[str], limit: int) -> dict[str, list[NearPoint]]:
        """The nearest other points of each of some points, best first."""

    def by_time(self, field: str, *, descending: bool, clause: Clause, limit: int) -> list[PointRecord]:
        """The first points in order of a time field, equal times in any order."""

    def by_id(
        self, clause: Clause, *, after: str | None, limit: int, with_vectors: bool = False
    ) -> list[PointRecord]:
        """The first points in order of their ids, beyond `after`."""

    def count(self, clause: Clause | None = None) -> int:
        """How many points match, exactly."""

    def facet(self, field: str, clause: Clause | None, *, limit: int) -> list[ValueCount]:
        """The commonest values of an indexed field, exactly counted."""

    def sample(self, limit: int) -> list[bytes]:
        """Vectors of points picked at random, each at most once, as `vector_bytes`."""

    def size(self) -> ShardSize:
        """How large the shard is; cheap."""

    def flush(self) -> None:
        """Write everything to the segments, so that the next load has no log to replay."""

    def close(self) -> None:
        """Flush and release the folder."""
