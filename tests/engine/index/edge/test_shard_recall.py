"""How many of the ten nearest an index finds that has been built, on vectors clustered like CLIP's."""

import os
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.index.edge.engine import EdgeShard
from sightline.index.edge.shard import InsertPoints
from sightline.index.ranking import Nearest
from sightline.index.records import PointRecord, vector_bytes
from sightline.index.tuning import VectorLayout
from sightline.settings import Quantization

DIMENSION = 512
LONG = os.environ.get("SIGHTLINE_TEST_LONG") == "1"
POINTS = 100_000 if LONG else 20_000
LAYOUTS = (Quantization.NONE, Quantization.TURBO4, *([Quantization.INT8] if LONG else []))
QUERIES = 100


def clustered(number: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors, shape (number, 512): a mean that all share, 400 clusters, and noise in all directions.

    Two vectors of different clusters have a cosine near 0.5 and two of one near 0.75, as pictures have in
    CLIP's space; nearest neighbours then differ by a few thousandths, which is what makes them hard to find.
    """
    places, random = np.random.default_rng(0), np.random.default_rng(seed)
    mean = places.normal(size=DIMENSION)
    centres = places.normal(size=(400, DIMENSION))
    noise = random.normal(size=(number, DIMENSION))
    vectors = mean + 0.7 * centres[random.integers(0, len(centres), number)] + 0.7 * noise
    scaled = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(scaled, dtype=np.float32)


def filled(folder: Path, vectors: NDArray[np.float32]) -> EdgeShard:
    shard = EdgeShard.create(folder, DIMENSION, {}, VectorLayout())
    for start in range(0, len(vectors), 1_000):
        part = vectors[start : start + 1_000]
        points = [
            PointRecord(str(UUID(int=start + row)), {}, vector_bytes(vector))
            for row, vector in enumerate(part)
        ]
        shard.apply([InsertPoints(points)])
    return shard


def recall(shard: EdgeShard) -> float:
    found = 0
    for query in clustered(QUERIES, seed=2):
        exact, near = (
            {
                hit.id
                for hit in shard.search(Nearest(vector_bytes(query)), None, limit=10, offset=0, exact=exact)
            }
            for exact in (True, False)
        )
        found += len(exact & near)
    return found / (10 * QUERIES)


def test_recall_of_every_layout(tmp_path: Path) -> None:
    vectors = clustered(POINTS, seed=1)
    shard = filled(tmp_path / "shard", vectors)
    assert recall(shard) == 1.0  # one by one
    assert shard.size().indexed == 0
    for quantization in LAYOUTS:
        shard.close()
        EdgeShard.optimize(tmp_path / "shard", DIMENSION, VectorLayout(quantization))
        shard = EdgeShard.load(tmp_path / "shard")
        assert shard.size().indexed == POINTS
        assert recall(shard) >= 0.98, quantization
    # Exact searches score by the original vectors, also beside a compressed copy.
    query = clustered(1, seed=3)[0]
    best = shard.search(Nearest(vector_bytes(query)), None, limit=10, offset=0, exact=True)
    truth = np.sort(vectors @ query)[::-1][:10]
    assert [hit.score for hit in best] == pytest.approx(truth, abs=1e-5)
    shard.close()
