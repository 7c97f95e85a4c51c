"""What points carry: written as JSON, and read back also when an older version wrote them."""

from collections.abc import Callable
from typing import TypeAlias

import pytest
from pydantic import ValidationError

from sightline.payload import INDEXED_FIELDS, FieldType, GeoPoint, Payload, indexed_fields

MakePayload: TypeAlias = Callable[..., Payload]


def test_camera_and_place_are_written_as_qdrant_reads_them(make_payload: MakePayload) -> None:
    payload = make_payload(camera="Example Mk II", location=GeoPoint(lat=-33.5, lon=151.25))

    written = payload.model_dump(mode="json")

    assert written["camera"] == "Example Mk II"
    assert written["location"] == {"lat": -33.5, "lon": 151.25}
    assert Payload.model_validate(written) == payload


def test_a_payload_from_before_camera_and_place_is_read(make_payload: MakePayload) -> None:
    written = make_payload().model_dump(mode="json", exclude={"camera", "location"})

    assert Payload.model_validate(written) == make_payload(camera=None, location=None)


@pytest.mark.parametrize(
    ("lat", "lon"), [(90.1, 0), (-90.1, 0), (0, 180.1), (0, -180.1), (float("nan"), 0), (0, float("inf"))]
)
def test_a_place_that_cannot_be_is_refused(lat: float, lon: float) -> None:
    with pytest.raises(ValidationError):
        GeoPoint(lat=lat, lon=lon)


def test_declared_metadata_is_indexed_beside_the_fixed_fields() -> None:
    fields = indexed_fields({"price": FieldType.FLOAT})

    assert fields == INDEXED_FIELDS | {"metadata.price": FieldType.FLOAT}
    assert fields["camera"] is FieldType.KEYWORD
