"""A point as the API shows it."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from sightline.index import StoredPoint
from sightline.payload import GeoPoint, Payload
from sightline_api.images import Image

Shown: TypeAlias = Callable[..., dict[str, Any]]


@pytest.fixture
def shown(make_payload: Callable[..., Payload]) -> Shown:
    def show(**changes: Any) -> dict[str, Any]:
        point = StoredPoint("abd7791b-be11-5e5a-aad1-174e9827b4a9", make_payload(**changes), None)
        return Image.of(point, "images").model_dump(mode="json")

    return show


@pytest.mark.parametrize("camera", [None, "Example Mk II"])
def test_it_shows_camera_and_place(shown: Shown, camera: str | None) -> None:
    place = None if camera is None else {"lat": -33.5, "lon": 151.25}

    image = shown(camera=camera, location=None if place is None else GeoPoint(**place))

    assert image["camera"] == camera
    assert image["location"] == place


def test_it_shows_nothing_of_how_a_point_is_kept(shown: Shown) -> None:
    assert not {"space", "first_indexed", "perceptual_hash"} & set(shown())
