from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.testclient import TestClient


@pytest.fixture(autouse=True)
def collection(client: TestClient) -> None:
    """Readiness makes the collection."""
    client.get("/readyz").raise_for_status()


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
