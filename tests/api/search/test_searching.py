from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.testclient import TestClient


@pytest.fixture(autouse=True)
def collection(client: TestClient) -> None:
    """Readiness makes the collection."""
    client.get("/readyz").raise_for_status()


def _took_encoding(client: TestClient, text: str) -> float:
    answer = client.post("/v1/search", json={"query": [{"text": text}]})
    took: float = answer.raise_for_status().json()["took_ms"]["encode"]
    return took


def test_a_text_asked_again_is_not_encoded_again(client: TestClient) -> None:
    first = _took_encoding(client, "a red bicycle in the rain, seen from above")
    again = min(_took_encoding(client, "a red bicycle in the rain, seen from above") for _ in range(5))

    assert again < first / 2


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
