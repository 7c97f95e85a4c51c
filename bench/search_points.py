"""Points to search among: random vectors in clusters, with payloads such as an ingest makes."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.identity import point_id, source_key
from sightline.index import Point
from sightline.payload import FirstIndexed, Payload, Source

_CLUSTERS = 200
_SPREAD = 1.2
_FIRST_INDEXED = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SearchPoints:
    """`vectors` are float32, shape (n, dimension), of length 1, made by the model of `space`."""

    vectors: NDArray[np.float32]
    space: str

    def records(self, first: int = 0, end: int | None = None) -> list[Point]:
        """The points from `first` to before `end`, with ids and payloads; the same at every call."""
        return [self._record(number, self.vectors[number]) for number in range(len(self.vectors))[first:end]]

    def _record(self, number: int, vector: NDArray[np.float32]) -> Point:
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        indexed_at = _FIRST_INDEXED + timedelta(seconds=number)
        uri = f"file:///photos/2026/{number:07}.jpg"
        source = Source(kind="folder", uri=uri, modified_at=indexed_at)
        payload = Payload(
            sha256=sha256,
            space=self.space,
            model="clip-ViT-B-32",
            numerics="openvino-bf16",
            format="jpeg",
            width=4032,
            height=3024,
            bytes=3_000_000 + number,
            taken_at=indexed_at,
            indexed_at=indexed_at,
            sort_at=indexed_at,
            tags=("bench",),
            metadata={"album": f"album {number % 50}"},
            sources={source_key(uri): source},
            first_indexed=FirstIndexed(job="bench", source=source_key(uri)),
        )
        return Point(point_id(sha256), vector, payload)


def make_points(count: int, dimension: int, space: str, seed: int = 1) -> SearchPoints:
    """Vectors in clusters, as those of pictures are."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((_CLUSTERS, dimension), dtype=np.float32)
    noise = random.standard_normal((count, dimension), dtype=np.float32)
    vectors = centres[random.integers(_CLUSTERS, size=count)] + _SPREAD * noise
    return SearchPoints(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), space)


def save_points(points: SearchPoints, path: Path) -> None:
    """Write them to a file for another process."""
    np.savez(path, vectors=points.vectors, space=np.array(points.space))


def load_points(path: Path) -> SearchPoints:
    """Read `save_points` back."""
    with np.load(path) as arrays:
        return SearchPoints(arrays["vectors"], str(arrays["space"]))
