"""Cursors belong to one request and survive nothing else."""

import base64
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from sightline.queue.jobs import JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import FolderSource
from sightline_api.gateway import Gateway
from sightline_api.http.cursors import make_cursor, read_cursor, read_number
from sightline_api.http.problems import ApiError
from sightline_api.search.models import SearchRequest

FORGED: list[Any] = ["x", "", "\ud800", -1, 2**53, 10**30, 1.5, True, None, [1]]


@given(st.integers(0, 2**53 - 1) | st.text(), st.lists(st.integers() | st.text()))
def test_position_comes_back(position: int | str, request: list[int | str]) -> None:
    assert read_cursor(make_cursor(position, request), request) == position


def test_cursor_of_another_request_is_refused() -> None:
    cursor = make_cursor(3, ["a cat"])
    with pytest.raises(ApiError) as caught:
        read_cursor(cursor, ["a dog"])
    assert (caught.value.status, caught.value.code) == (400, "cursor_mismatch")


@given(st.text(max_size=40))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ApiError):
        read_cursor(text, ["a cat"])


@pytest.mark.parametrize("position", FORGED)
def test_what_counts_nothing_is_no_number(position: Any) -> None:
    with pytest.raises(ApiError) as caught:
        read_number(make_cursor(position, ["a cat"]), ["a cat"])
    assert (caught.value.status, caught.value.code) == (400, "cursor_mismatch")


def test_a_number_is_below_its_bound() -> None:
    cursor = make_cursor(9, ["a cat"])
    assert read_number(cursor, ["a cat"], below=10) == 9
    with pytest.raises(ApiError):
        read_number(cursor, ["a cat"], below=9)


def test_a_cursor_of_endless_depth_is_refused() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    with pytest.raises(ApiError):
        read_cursor(deep, ["a cat"])


@pytest.mark.parametrize("position", FORGED)
def test_a_forged_cursor_is_the_fault_of_the_request(
    client: TestClient, ledger: Ledger, position: Any
) -> None:
    client.get("/readyz").raise_for_status()
    gateway: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
    job = ledger.create(JobRequest(collection="images", source=FolderSource(path="/photos")))
    body: dict[str, Any] = {"query": [{"text": "a cat"}]}
    searched = SearchRequest.model_validate(body).model_dump(mode="json", exclude={"cursor"})

    def forged(request: list[Any]) -> str:
        return make_cursor(position, request)

    def asked(path: str, request: list[Any]) -> httpx.Response:
        return client.get(path, params={"cursor": forged(request)})

    version = gateway.index.collection("images").version
    answers = [
        asked(f"/v1/jobs/{job.id}/failures", ["failures", job.id, None]),
        asked("/v1/duplicates", ["duplicates", "images", "perceptual", None]),
        client.post("/v1/search", json=body | {"cursor": forged([searched, version])}),
    ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(400, "cursor_mismatch")] * 3
    assert asked("/v1/jobs", ["jobs", None]).status_code in (200, 400)
    assert asked("/v1/images", ["images", "images", "-sort_at", None]).status_code in (400, 422)


def test_a_search_goes_no_further_than_it_may(client: TestClient) -> None:
    client.get("/readyz").raise_for_status()
    gateway: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
    body: dict[str, Any] = {"query": [{"text": "a cat"}]}
    searched = SearchRequest.model_validate(body).model_dump(mode="json", exclude={"cursor"})
    request = [searched, gateway.index.collection("images").version]

    statuses = [
        client.post("/v1/search", json=body | {"cursor": make_cursor(position, request)}).status_code
        for position in (0, 999, 1000)
    ]

    assert statuses == [200, 200, 400]
