"""How many of the ten nearest under a filter an index finds that has been built, against a plain computation.

The long version asks an index process with every setting at its default. The short one asks a shard whose
bound for comparing all that match is as much lower as its points are fewer: what half of the points match
is looked for in the graph by both.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from filtered_pictures import FILTERS, KINDS, SHARES, SPACE, Asked, Pictures, id_of
from numpy.typing import NDArray
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from sightline.index import CollectionSpec, SearchQuery, filtered_search
from sightline.index.clauses import clause_of
from sightline.index.edge.engine import EdgeShard
from sightline.index.edge.shard import InsertPoints
from sightline.index.filters import Filter, parse_filter
from sightline.index.ranking import Nearest
from sightline.index.records import point_record, vector_bytes
from sightline.index.tuning import SCANNED_POINTS, VectorLayout
from sightline.payload import indexed_fields

Search = Callable[[NDArray[np.float32], Filter], set[str]]
"""The ids of the ten nearest to a vector under a filter."""
FIELDS = indexed_fields(KINDS)
POINTS, FEW_POINTS = 100_000, 6_000
DIMENSION, FEW_DIMENSIONS = 512, 128
QUERIES = 100
BUILD_S = 3_600


@dataclass(frozen=True)
class Built:
    """A collection that HNSW covers, and what is in it."""

    held: Pictures
    search: Search

    def recall_at_10(self, asked: Asked) -> float:
        rows = np.flatnonzero(asked.rows)
        queries = Pictures.of(QUERIES, self.held.vectors.shape[1], seed=2).vectors
        scores = queries @ self.held.vectors[rows].T
        nearest = rows[np.argpartition(-scores, 10, axis=1)[:, :10]]
        filter = parse_filter(json.dumps(asked.filter))
        found = sum(
            len(self.search(query, filter) & {id_of(row) for row in best})
            for query, best in zip(queries, nearest, strict=True)
        )
        return found / nearest.size


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """A shard in this process."""
    folder = tmp_path_factory.mktemp("shard") / "shard"
    held = Pictures.of(FEW_POINTS, FEW_DIMENSIONS, seed=1)
    few = SCANNED_POINTS * FEW_POINTS // POINTS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filtered_search, "SCANNED_POINTS", few)
        shard = EdgeShard.create(folder, FEW_DIMENSIONS, FIELDS, VectorLayout())
        shard.apply([InsertPoints([point_record(held.point(row)) for row in range(FEW_POINTS)])])
        shard.close()
        EdgeShard.optimize(folder, FEW_DIMENSIONS, VectorLayout(), few * FEW_DIMENSIONS * 4 // 1024)
        shard = EdgeShard.load(folder)
        assert shard.size().indexed == FEW_POINTS

        def search(vector: NDArray[np.float32], filter: Filter) -> set[str]:
            clause, ranking = clause_of(filter, FIELDS), Nearest(vector_bytes(vector))
            return {hit.id for hit in shard.search(ranking, clause, limit=10, offset=0, exact=False)}

        yield Built(held, search)
        shard.close()


@pytest.fixture(scope="module")
def large(start_index: Callable[[], Any]) -> Built:
    """An index process, over its socket."""
    held = Pictures.of(POINTS, DIMENSION, seed=1)
    client = start_index().client(patience_s=30.0, timeout_s=600.0)
    client.ensure_collection(CollectionSpec("images", SPACE, DIMENSION, FIELDS))
    for start in range(0, POINTS, 1_000):
        client.insert("images", [held.point(row) for row in range(start, start + 1_000)])
    client.optimize("images")
    lacking = retry_if_result(lambda indexed: indexed < POINTS)
    waiting = Retrying(retry=lacking, stop=stop_after_delay(BUILD_S), wait=wait_fixed(0.5))
    waiting(lambda: client.collection("images").indexed)

    def search(vector: NDArray[np.float32], filter: Filter) -> set[str]:
        query = SearchQuery(vector, SPACE, 10, filter=filter)
        return {hit.id for hit in client.search("images", query)}

    return Built(held, search)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize("size", ["small", pytest.param("large", marks=pytest.mark.long)])
def test_recall_under_a_filter(
    request: pytest.FixtureRequest, size: str, kind: Callable[[Pictures, float], Asked], share: float
) -> None:
    built: Built = request.getfixturevalue(size)
    asked = kind(built.held, share)
    assert asked.rows.mean() == pytest.approx(share, rel=0.3)
    assert built.recall_at_10(asked) >= 0.98
