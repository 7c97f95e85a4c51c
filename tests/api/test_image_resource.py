"""A point as the API shows it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sightline.index import StoredPoint
from sightline.payload import FirstIndexed, GeoPoint, Payload
from sightline_api.images import Image

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def shown(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "sha256": "0" * 64,
        "space": "model@0123456789abcdef",
        "model": "model",
        "numerics": "f32",
        "format": "jpeg",
        "width": 2,
        "height": 1,
        "bytes": 3,
        "indexed_at": NOON,
        "sort_at": NOON,
        "first_indexed": FirstIndexed(job="j", source="k"),
    }
    point = StoredPoint("abd7791b-be11-5e5a-aad1-174e9827b4a9", Payload(**(fields | changes)), None)
    return Image.of(point, "images").model_dump(mode="json")


@pytest.mark.parametrize("camera", [None, "Example Mk II"])
def test_it_shows_camera_and_place(camera: str | None) -> None:
    place = None if camera is None else {"lat": -33.5, "lon": 151.25}

    image = shown(camera=camera, location=None if place is None else GeoPoint(**place))

    assert image["camera"] == camera
    assert image["location"] == place


def test_it_shows_nothing_of_how_a_point_is_kept() -> None:
    assert not {"space", "sort_at", "first_indexed"} & set(shown())
