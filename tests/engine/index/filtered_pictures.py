"""Pictures to search under filters that a known share of them matches, and which those are."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sightline.identity import point_id
from sightline.index import Point
from sightline.payload import FieldType, FirstIndexed, Payload

SHARES = (0.01, 0.1, 0.5)
SPACE = "space-a"
KINDS = {"ratio": FieldType.FLOAT, "cluster": FieldType.KEYWORD, "city": FieldType.GEO}
CLUSTERS = 100
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
YEAR_S = 366 * 86_400.0
VIENNA = {"lat": 48.2, "lon": 16.4}
CITY_DEG = 0.2


@dataclass(frozen=True)
class Pictures:
    """Pictures by column: one row for each."""

    vectors: NDArray[np.float32]
    clusters: NDArray[np.int64]
    chances: NDArray[np.float64]
    """Shape (n, 5), from 0 to 1; they know nothing of the vectors."""

    @classmethod
    def of(cls, number: int, dimension: int, seed: int) -> Self:
        """As in CLIP's space: a mean that all share, clusters, and noise in all directions.

        Two vectors of different clusters have a cosine near 0.5 and two of one near 0.75; the clusters are
        the same for every seed.
        """
        places, random = np.random.default_rng(0), np.random.default_rng(seed)
        mean, centres = places.normal(size=dimension), places.normal(size=(CLUSTERS, dimension))
        clusters = random.integers(0, CLUSTERS, number)
        noise = random.normal(size=(number, dimension))
        vectors = mean + 0.7 * centres[clusters] + 0.7 * noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return cls(vectors.astype(np.float32), clusters, random.random((number, 5)))

    def point(self, row: int) -> Point:
        """The point of one row; its id is `id_of(row)`."""
        tag, ratio, taken, size, east = (float(chance) for chance in self.chances[row])
        payload = Payload(
            sha256=f"{row:064x}",
            space=SPACE,
            model="starter",
            numerics="openvino-f32",
            format="jpeg",
            width=640,
            height=480,
            bytes=int(size * 1e6),
            taken_at=NEW_YEAR + timedelta(seconds=taken * YEAR_S),
            location={"lat": 180 * tag - 90, "lon": 360 * east - 180},
            indexed_at=NEW_YEAR,
            sort_at=NEW_YEAR + timedelta(seconds=row),
            tags=[f"tag-{share}" for share in SHARES if tag <= share],
            metadata={
                "ratio": ratio,
                "cluster": [f"of-{share}" for share in SHARES if self.clusters[row] < CLUSTERS * share],
                "city": {"lat": VIENNA["lat"] + tag * CITY_DEG, "lon": VIENNA["lon"] + east * CITY_DEG},
            },
            first_indexed=FirstIndexed(job="job", source="source"),
        )
        return Point(id_of(row), self.vectors[row], payload)


def id_of(row: int) -> str:
    """The id of the point of one row."""
    return point_id(f"{row:064x}")


@dataclass(frozen=True)
class Asked:
    """A filter, and which rows it should match."""

    filter: dict[str, Any]
    rows: NDArray[np.bool_]


def by_tag(held: Pictures, share: float) -> Asked:
    return Asked({"field": "tags", "eq": f"tag-{share}"}, held.chances[:, 0] <= share)


def by_negation(held: Pictures, share: float) -> Asked:
    return Asked({"not": {"field": "metadata.ratio", "gte": share}}, held.chances[:, 1] < share)


def by_size(held: Pictures, share: float) -> Asked:
    sizes = (held.chances[:, 3] * 1e6).astype(int)
    return Asked({"field": "bytes", "lte": share * 1e6}, sizes <= share * 1e6)


def by_time(held: Pictures, share: float) -> Asked:
    last = NEW_YEAR + timedelta(seconds=share * YEAR_S)
    return Asked({"field": "taken_at", "lte": last.isoformat()}, held.chances[:, 2] <= share)


def by_two_ranges(held: Pictures, share: float) -> Asked:
    side = share**0.5
    ratio, time = {"field": "metadata.ratio", "lte": side}, by_time(held, side)
    return Asked({"all": [ratio, time.filter]}, (held.chances[:, 1] <= side) & time.rows)


def by_cluster(held: Pictures, share: float) -> Asked:
    """What matches lies together in the space, and most queries lie elsewhere."""
    return Asked({"field": "metadata.cluster", "eq": f"of-{share}"}, held.clusters < CLUSTERS * share)


def by_strip_of_the_earth(held: Pictures, share: float) -> Asked:
    area = {"south": -90, "north": 90, "west": -180, "east": 360 * share - 180}
    return Asked({"field": "location", "within": area}, held.chances[:, 4] <= share)


def by_strip_of_a_city(held: Pictures, share: float) -> Asked:
    """All pictures are from one city, which an area that reaches from afar cuts."""
    area = {"south": 45, "north": 52, "west": 10, "east": VIENNA["lon"] + share * CITY_DEG}
    return Asked({"field": "metadata.city", "within": area}, held.chances[:, 4] <= share)


FILTERS: tuple[Callable[[Pictures, float], Asked], ...] = (
    by_tag,
    by_negation,
    by_size,
    by_time,
    by_two_ranges,
    by_cluster,
    by_strip_of_the_earth,
    by_strip_of_a_city,
)
