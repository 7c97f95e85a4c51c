"""The double behaves like the server it stands in for, as far as the contract of the index does not say."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from compose_backends import double_process
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

NAME = "/collections/images"
POINT = {"id": "00000000-0000-4000-8000-000000000001", "vector": [0.6, 0.8], "payload": {"n": 1}}


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Any]:
    with ExitStack() as stack:
        double = double_process(tmp_path, stack)
        double.start()
        double.calls()
        double.control.headers["api-key"] = double.key
        yield double


def made(double: Any) -> httpx.Client:
    """A client of the double, with one point in one collection."""
    client: httpx.Client = double.control
    vectors = {"size": 2, "distance": "Cosine"}
    assert client.put(NAME, json={"vectors": vectors, "metadata": {"a": 1}}).is_success
    assert client.put(f"{NAME}/points", json={"points": [POINT]}).is_success
    return client


def test_what_was_written_survives_a_kill(double: Any) -> None:
    made(double)
    double.kill()
    double.start()
    double.calls()

    held = double.control.get(NAME).json()["result"]
    assert (held["points_count"], held["config"]["metadata"]) == (1, {"a": 1})
    hits = double.control.post(f"{NAME}/points/query", json={"query": [0.6, 0.8], "limit": 3})
    assert [hit["payload"] for hit in hits.json()["result"]["points"]] == [{"n": 1}]


def test_the_key_is_asked_for(double: Any) -> None:
    assert double.control.get("/collections", headers={"api-key": "another"}).status_code == 401
    assert double.control.get("/healthz", headers={"api-key": ""}).is_success


def test_a_collection_is_made_and_dropped_once(double: Any) -> None:
    client = made(double)
    again = client.put(NAME, json={"vectors": {"size": 2, "distance": "Cosine"}})
    assert (again.status_code, "already exists" in again.json()["status"]["error"]) == (409, True)
    assert [client.delete(NAME).json()["result"] for _ in range(2)] == [True, False]
    assert client.get(NAME).status_code == 404


def test_a_vector_of_another_size_is_refused(double: Any) -> None:
    client = made(double)
    longer = client.put(f"{NAME}/points", json={"points": [POINT | {"vector": [1.0, 0.0, 0.0]}]})
    assert longer.status_code == 400


def test_ordering_needs_an_index(double: Any) -> None:
    client = made(double)
    order = {"limit": 3, "order_by": {"key": "n"}}
    assert client.post(f"{NAME}/points/scroll", json=order).status_code == 400
    assert client.put(f"{NAME}/index", json={"field_name": "n", "field_schema": "integer"}).is_success
    assert len(client.post(f"{NAME}/points/scroll", json=order).json()["result"]["points"]) == 1


def test_faults_come_and_go(double: Any) -> None:
    client = made(double)
    double.misbehave(failing=0.5)
    statuses = {client.get("/collections").status_code for _ in range(40)}
    double.misbehave(slow_s=0.3)
    slow = client.get("/collections").elapsed
    double.behave()
    counted = double.calls()
    assert statuses == {200, 503}
    assert slow.total_seconds() > 0.3
    assert client.get("/collections").is_success
    assert double.calls() == counted + 1


def test_it_is_gone_and_comes_back_with_its_data(double: Any) -> None:
    client = made(double)
    double.be_gone(0.5)
    with pytest.raises(httpx.TransportError):  # noqa: PT012 - it takes a moment
        while True:
            client.get("/collections")
    again = retry(
        retry=retry_if_exception_type(httpx.TransportError), stop=stop_after_delay(90), wait=wait_fixed(0.05)
    )
    assert again(client.get)(NAME).json()["result"]["points_count"] == 1
