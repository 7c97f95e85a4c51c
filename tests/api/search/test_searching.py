import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from sightline.identity import point_id
from sightline.index import Point
from sightline.payload import Payload
from sightline_api.gateway import Gateway

PICTURES = 12


@pytest.fixture(autouse=True)
def collection(client: TestClient) -> None:
    """Readiness makes the collection."""
    client.get("/readyz").raise_for_status()


@pytest.fixture
def filled(client: TestClient, make_payload: Callable[..., Payload]) -> Iterator[str]:
    """A collection of two heaps of pictures: the even ones are alike, and so are the odd ones."""
    gateway: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
    spec = gateway.collection_spec(f"paged-{uuid4().hex[:8]}")
    gateway.index.ensure_collection(spec)
    chance = np.random.default_rng(3)
    heaps = chance.normal(size=(2, spec.dimension))
    vectors = heaps[np.arange(PICTURES) % 2] + 0.2 * chance.normal(size=(PICTURES, spec.dimension))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    points = [
        Point(_id(number), vector, make_payload(sha256=f"{number:064x}", space=spec.space))
        for number, vector in enumerate(vectors)
    ]
    gateway.index.insert(spec.name, points)
    yield spec.name
    gateway.index.drop_collection(spec.name)


def _id(number: int) -> str:
    return point_id(f"{number:064x}")


def _pages(ask: Callable[[dict[str, Any]], httpx.Response], body: dict[str, Any]) -> list[list[str]]:
    """The ids of the hits of each page, until there is no cursor."""
    pages: list[list[str]] = []
    cursor: dict[str, Any] = {}
    while len(pages) <= PICTURES:
        page = ask(body | cursor).raise_for_status().json()
        pages.append([hit["image"]["id"] for hit in page["hits"]])
        if page["next_cursor"] is None:
            return pages
        cursor = {"cursor": page["next_cursor"]}
    raise AssertionError("the pages do not end")


def _texts_encoded(client: TestClient) -> float:
    lines = client.get("/metrics").text.splitlines()
    (encoded,) = (line for line in lines if line.startswith("sightline_text_cache_misses_total "))
    return float(encoded.split()[1])


def test_a_text_asked_again_is_not_encoded_again(client: TestClient) -> None:
    asked = {"query": [{"text": "a red bicycle in the rain, seen from above"}]}
    before = _texts_encoded(client)
    first, *others = (client.post("/v1/search", json=asked).raise_for_status().json() for _ in range(5))

    assert _texts_encoded(client) == before + 1
    assert [answer["hits"] for answer in others] == [first["hits"]] * 4


def test_many_searches_at_once_are_all_answered(client: TestClient) -> None:
    def search(number: int) -> httpx.Response:
        return client.get("/v1/search", params={"q": f"thing {number}"})

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(search, range(96)))

    assert {answer.status_code for answer in answers} == {200}


def test_embeddings_come_in_the_order_of_their_inputs(client: TestClient) -> None:
    texts = [f"thing {number % 40}" for number in range(50)]

    together = client.post("/v1/embeddings", json={"input": texts}).json()["data"]
    alone = [client.post("/v1/embeddings", json={"input": text}).json()["data"][0] for text in texts[:3]]

    assert [one["index"] for one in together] == list(range(50))
    for place, one in enumerate(alone):
        assert together[place]["embedding"] == pytest.approx(one["embedding"], abs=2e-3)
    assert together[40]["embedding"] == together[0]["embedding"]


def test_a_search_by_an_uploaded_picture_goes_on(client: TestClient, filled: str) -> None:
    def ask(form: dict[str, Any], colour: str = "red") -> httpx.Response:
        file = io.BytesIO()
        Image.new("RGB", (32, 32), colour).save(file, "PNG")
        picture = {"file": ("red.png", file.getvalue())}
        return client.post("/v1/search/image", params={"collection": filled}, files=picture, data=form)

    (whole,) = _pages(ask, {"limit": PICTURES})

    assert len(whole) == PICTURES
    assert _pages(ask, {"limit": 5}) == [whole[:5], whole[5:10], whole[10:]]

    cursor = ask({"limit": 5}).json()["next_cursor"]
    other = ask({"limit": 5, "cursor": cursor}, colour="blue")
    assert (other.status_code, other.json()["code"]) == (400, "cursor_mismatch")


def test_pages_go_on_past_one_without_a_relevant_hit(client: TestClient, filled: str) -> None:
    """Diversity brings a hit of the other heap second, before further ones of the right heap."""

    def ask(body: dict[str, Any]) -> httpx.Response:
        return client.post("/v1/search", json=body)

    body = {"query": [{"image_id": _id(0)}], "diversity": 0.8, "collection": filled}
    hits = ask(body | {"limit": PICTURES}).json()["hits"]
    by_relevance = sorted((hit["relevance"] for hit in hits), reverse=True)
    relevant = {"min_relevance": (by_relevance[4] + by_relevance[5]) / 2}
    (whole,) = _pages(ask, body | relevant | {"limit": PICTURES})
    assert set(whole) == {_id(number) for number in range(2, PICTURES, 2)}

    pages = _pages(ask, body | relevant | {"limit": 1})

    assert len(pages) == PICTURES - 1
    assert [one for page in pages for one in page] == whole
    assert [] in pages[: pages.index([whole[-1]])]


@pytest.mark.parametrize("number", [2**53, 2**64, -(2**70), 10**400])
@pytest.mark.parametrize("test", ["eq", "gte", "lte"])
def test_numbers_that_no_condition_may_name_are_faults_of_the_request(
    client: TestClient, number: int, test: str
) -> None:
    tree = f'{{"field": "width", "{test}": {number}}}'
    body = f'{{"query": [{{"text": "a cat"}}], "filter": {tree}}}'
    answers = [
        client.post("/v1/search", content=body, headers={"Content-Type": "application/json"}),
        client.get("/v1/search", params={"q": "a cat", "filter": tree}),
        client.get("/v1/facets", params={"field": "tags", "filter": tree}),
        client.get("/v1/images", params={"filter": tree}),
    ]

    assert [one.status_code for one in answers] == [422] * 4
    assert all("whole numbers go from" in one.json()["detail"] for one in answers)
