"""Points whose vectors are clustered as CLIP's are, in blocks that are the same at every call.

A direction that all share, 400 clusters, and noise of full rank, so that two pictures have a cosine near
0.5, two of one cluster near 0.75, and the nearest ones differ by a few thousandths.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sightline.identity import point_id
from sightline.index import Point
from sightline.payload import FirstIndexed, Payload

DIMENSION = 512
CLUSTERS = 400
BLOCK = 5_000
SPACE = "bench"


def clustered(number: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors, shape (number, 512); the same clusters for every seed."""
    places, random = np.random.default_rng(0), np.random.default_rng((1, seed))
    mean = places.normal(size=DIMENSION)
    centres = places.normal(size=(CLUSTERS, DIMENSION))
    noise = random.normal(size=(number, DIMENSION))
    vectors = mean + 0.7 * centres[random.integers(0, CLUSTERS, number)] + 0.7 * noise
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def points_of(block: int) -> list[Point]:
    """The points of one block of `BLOCK`."""
    moment = datetime(2024, 5, 31, tzinfo=UTC)
    made = []
    for row, vector in enumerate(clustered(BLOCK, block + 1)):
        sha256 = f"{block * BLOCK + row:064x}"
        payload = Payload(
            sha256=sha256,
            space=SPACE,
            model="bench",
            numerics="none",
            format="jpeg",
            width=4000,
            height=3000,
            bytes=3_800_000,
            indexed_at=moment,
            sort_at=moment,
            first_indexed=FirstIndexed(job="job", source="source"),
        )
        made.append(Point(point_id(sha256), vector, payload))
    return made


def growing(sizes: Sequence[int]) -> Iterator[tuple[int, list[Point]]]:
    """Points to insert, in order, and how many there are with them; every size is reached on the way."""
    ends = sorted({*range(BLOCK, max(sizes), BLOCK), *sizes})
    for start, end in pairwise([0, *ends]):
        block, first = divmod(start, BLOCK)
        yield end, points_of(block)[first : end - block * BLOCK]
