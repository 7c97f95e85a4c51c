"""The stored picture that the examples of the OpenAPI document speak of: coffee.png."""

from datetime import UTC, datetime
from pathlib import Path

import skimage

from sightline.encoder import Vectors
from sightline.encoder.artifact import Manifest
from sightline.identity import point_id, sha256_of
from sightline.index import Point
from sightline.payload import FirstIndexed, Payload, Source
from sightline_api.http.example_values import IMAGE_ID, IMAGE_SHA256


def example_bytes() -> bytes:
    """The file."""
    data = (Path(skimage.__file__).parent / "data" / "coffee.png").read_bytes()
    assert (sha256_of(data), point_id(IMAGE_SHA256)) == (IMAGE_SHA256, IMAGE_ID)
    return data


def example_point(manifest: Manifest, numerics: str, vector: Vectors) -> Point:
    """The point, as an embedder would have made it."""
    now = datetime.now(UTC)
    payload = Payload(
        sha256=IMAGE_SHA256,
        space=manifest.space,
        model=manifest.name,
        numerics=numerics,
        format="png",
        width=600,
        height=400,
        bytes=len(example_bytes()),
        taken_at=datetime(2024, 5, 31, tzinfo=UTC),
        indexed_at=now,
        sort_at=now,
        tags=("holiday",),
        sources={"k": Source(kind="upload", uri="upload:coffee.png")},
        first_indexed=FirstIndexed(job="j", source="k"),
    )
    return Point(IMAGE_ID, vector, payload)
