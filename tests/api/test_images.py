"""Stored pictures are described anew, and deleted for good."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from sightline.errors import MediaNotFound, Unavailable
from sightline.identity import point_id, sha256_of
from sightline.index import Point
from sightline.payload import FirstIndexed, Payload, Source
from sightline.served import VersionsWritten
from sightline.writing import PointWriter
from sightline_api.gateway import Gateway

DATA = b"the bytes of a picture"
SHA256 = sha256_of(DATA)
IMAGE = point_id(SHA256)
COLLECTION = "described"


@pytest.fixture
def gateway(client: TestClient) -> Gateway:
    found: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
    return found


@pytest.fixture
def image(client: TestClient, gateway: Gateway) -> Iterator[str]:
    """The path of a stored picture, with original and thumbnail."""
    manifest, now = gateway.models.default.encoder.manifest, datetime.now(UTC)
    gateway.index.ensure_collection(gateway.collection_spec(COLLECTION))
    payload = Payload(
        sha256=SHA256,
        space=manifest.space,
        model=manifest.name,
        numerics="f32",
        format="jpeg",
        width=2,
        height=1,
        bytes=len(DATA),
        indexed_at=now,
        sort_at=now,
        tags=("old",),
        metadata={"old": 1},
        sources={"k": Source(kind="upload", uri="upload:%3Cb%3E%22cup%22%20%C3%A9.html")},
        first_indexed=FirstIndexed(job="j", source="k"),
    )
    vector = np.eye(1, manifest.dimension, dtype=np.float32)[0]
    gateway.index.insert(COLLECTION, [Point(IMAGE, vector, payload)])
    gateway.media.put_original(COLLECTION, SHA256, DATA)
    gateway.media.put_thumbnail(COLLECTION, IMAGE, b"small")
    yield f"/v1/images/{IMAGE}?collection={COLLECTION}"
    gateway.index.delete(COLLECTION, [IMAGE])


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_what_is_given_is_replaced_and_the_rest_stays(client: TestClient, image: str) -> None:
    changed = client.patch(image, json={"tags": ["new", "newer"]})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["tags"], changed.json()["metadata"]) == (["new", "newer"], {"old": 1})

    changed = client.patch(image, json={"metadata": {"sku": "A", "gone": None}})
    assert (changed.json()["tags"], changed.json()["metadata"]) == (
        ["new", "newer"],
        {"sku": "A", "gone": None},
    )

    changed = client.patch(image, json={"tags": [], "metadata": {}})
    assert changed.json() == client.get(image).json()
    assert (changed.json()["tags"], changed.json()["metadata"]) == ([], {})
    assert client.patch(image, json={}).json() == changed.json()


@pytest.mark.parametrize(
    "change",
    [{"tags": [""]}, {"tags": "a"}, {"metadata": [1]}, {"metadata": {"a": 1 << 63}}, {"sha256": "0" * 64}],
)
def test_a_change_that_cannot_be_kept(client: TestClient, image: str, change: dict[str, Any]) -> None:
    before = client.get(image).json()
    assert code_of(client.patch(image, json=change)) == (422, "validation_failed")
    assert client.get(image).json() == before


def test_a_picture_that_is_not_there_is_not_described(client: TestClient, image: str) -> None:
    nowhere = f"/v1/images/{point_id('0' * 64)}?collection={COLLECTION}"
    for change in ({}, {"tags": ["a"]}):
        assert code_of(client.patch(nowhere, json=change)) == (404, "image_not_found")


def test_deleting_takes_point_original_and_thumbnail(
    client: TestClient, gateway: Gateway, image: str
) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)

    assert client.delete(image).status_code == 204

    assert gateway.deletions.since(COLLECTION, [IMAGE], before) == {IMAGE}
    assert code_of(client.get(image)) == (404, "image_not_found")
    with pytest.raises(MediaNotFound):
        gateway.media.read_original(COLLECTION, SHA256)
    with pytest.raises(MediaNotFound):
        gateway.media.read_thumbnail(COLLECTION, IMAGE)


class Failing:
    """An index that is away when something should be deleted."""

    def __init__(self, gateway: Gateway, before: datetime) -> None:
        self.recorded_first = False
        self._gateway = gateway
        self._before = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway.index, name)

    def delete(self, collection: str, ids: list[str]) -> None:
        self.recorded_first = self._gateway.deletions.since(collection, ids, self._before) == set(ids)
        raise Unavailable("The index", "it is away")


def _writer(gateway: Gateway, index: Any) -> PointWriter:
    return PointWriter(index, VersionsWritten(gateway.migrations))


def test_a_deletion_is_recorded_before_anything_is_deleted(
    client: TestClient, gateway: Gateway, image: str
) -> None:
    """Else a batch that inserts the point in between would not know."""
    index = Failing(gateway, datetime.now(UTC) - timedelta(seconds=1))
    client.app.state.gateway = replace(gateway, index=index, writer=_writer(gateway, index))  # type: ignore[attr-defined, arg-type]
    try:
        assert code_of(client.delete(image)) == (503, "service_unavailable")
    finally:
        client.app.state.gateway = gateway  # type: ignore[attr-defined]

    assert index.recorded_first
    assert client.get(image).status_code == 200
    assert client.delete(image).status_code == 204


def test_known_pictures_are_named(client: TestClient, image: str) -> None:
    body = {"sha256": [SHA256, "0" * 64], "collection": COLLECTION}
    assert client.post("/v1/images/known", json=body).json() == {"known": {SHA256: IMAGE}}


def test_an_original_is_served_as_its_format_under_its_name(client: TestClient, image: str) -> None:
    answer = client.get(image.replace("?", "/original?"))

    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].endswith("sandbox")
    assert answer.headers["Content-Disposition"] == (
        "inline; filename*=UTF-8''%3Cb%3E%22cup%22%20%C3%A9.html"
    )
