"""What a caller did wrong is said in a problem document, with a code that stays."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.http.response_headers import DEFAULTS


def assert_problem(answer: httpx.Response, status: int, code: str) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["code"] == code
    assert document["status"] == status
    assert document["request_id"] == answer.headers["x-request-id"]
    assert {"type", "title", "detail"} <= set(document)
    return document


@pytest.fixture(autouse=True)
def collection(client: TestClient) -> None:
    """Readiness makes the collection."""
    client.get("/readyz").raise_for_status()


def search(client: TestClient, *parts: dict[str, Any], **more: Any) -> httpx.Response:
    return client.post("/v1/search", json={"query": list(parts), **more})


def test_unknown_route(client: TestClient) -> None:
    assert_problem(client.get("/v1/nothing"), 404, "not_found")


def test_wrong_method(client: TestClient) -> None:
    refused = client.put("/v1/search")
    assert_problem(refused, 405, "method_not_allowed")
    assert refused.headers["Allow"] == "GET, POST"
    # No picture's id, so nothing can be asked of it but what its own route does.
    assert client.patch("/v1/images/known", json={}).headers["Allow"] == "POST"


def test_body_that_does_not_fit_names_each_fault(client: TestClient) -> None:
    document = assert_problem(search(client, limit=0), 422, "validation_failed")
    assert {fault["location"] for fault in document["errors"]} == {"body.query", "body.limit"}


def test_part_of_no_kind_and_of_two_kinds(client: TestClient) -> None:
    document = assert_problem(search(client, {"weight": 1}), 422, "validation_failed")
    assert "one of text, image_id and image_base64" in document["detail"]
    assert_problem(search(client, {"text": "a", "image_base64": "b"}), 422, "validation_failed")


@pytest.mark.parametrize("weight", ["NaN", "Infinity", 101, "x"])
def test_weight_that_is_no_sound_number(client: TestClient, weight: Any) -> None:
    body = f'{{"query": [{{"text": "a", "weight": {weight if weight != "x" else chr(34) + "x" + chr(34)}}}]}}'
    answer = client.post("/v1/search", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_weights_that_cancel_out(client: TestClient) -> None:
    answer = search(client, {"text": "a cat"}, {"text": "a cat", "weight": -1})
    assert_problem(answer, 422, "query_cancels_out")


def test_picture_that_is_none(client: TestClient) -> None:
    text = base64.b64encode(b"this is text").decode()
    document = assert_problem(search(client, {"image_base64": text}), 422, "bad_picture")
    assert document["reason"] == "not_an_image"
    document = assert_problem(search(client, {"image_base64": "%%%"}), 422, "validation_failed")
    assert "not base64" in document["detail"]


def test_stored_picture_that_is_not_there(client: TestClient) -> None:
    assert_problem(search(client, {"image_id": str(uuid4())}), 404, "image_not_found")
    assert_problem(client.get(f"/v1/images/{uuid4()}"), 404, "image_not_found")
    assert_problem(client.get(f"/v1/images/{uuid4()}/similar"), 404, "image_not_found")
    assert_problem(client.get("/v1/images/no-uuid"), 404, "not_found")


def test_collection_that_is_not_there(client: TestClient) -> None:
    assert_problem(search(client, {"text": "a"}, collection="nowhere"), 404, "collection_not_found")
    assert_problem(client.get("/v1/images?collection=nowhere"), 404, "collection_not_found")
    assert_problem(client.get("/v1/images?collection=../up"), 422, "validation_failed")
    assert_problem(search(client, {"text": "a"}, collection="../up"), 422, "validation_failed")


def test_job_that_is_not_there(client: TestClient) -> None:
    assert_problem(client.get("/v1/jobs/none"), 404, "job_not_found")
    assert_problem(client.get("/v1/jobs/none/failures"), 404, "job_not_found")


def test_filter_that_does_not_parse_or_has_no_index(client: TestClient) -> None:
    assert_problem(client.get("/v1/images", params={"filter": "{"}), 422, "bad_request")
    document = assert_problem(
        search(client, {"text": "a"}, filter={"field": "metadata.sku", "eq": "A"}), 422, "field_not_indexed"
    )
    assert "tags" in document["indexed_fields"]


def test_cursor_that_is_none(client: TestClient) -> None:
    assert_problem(search(client, {"text": "a"}, cursor="x"), 400, "cursor_mismatch")
    assert_problem(client.get("/v1/images?cursor=x"), 400, "cursor_mismatch")
    assert_problem(client.get("/v1/jobs?cursor=x"), 400, "cursor_mismatch")


def test_uploads_that_are_too_many_or_too_large(client: TestClient) -> None:
    four = [("files", (f"{number}.jpg", b"x")) for number in range(4)]
    assert_problem(client.post("/v1/images", files=four), 413, "too_many_files")
    large = [("files", ("large.jpg", b"x" * 2_000_001))]
    document = assert_problem(client.post("/v1/images", files=large), 413, "too_many_bytes")
    assert "large.jpg" in document["detail"]


@pytest.mark.parametrize("metadata", ["{", "3", "[1]", "[{}, {}]"])
def test_metadata_that_does_not_fit(client: TestClient, metadata: str) -> None:
    answer = client.post("/v1/images", files=[("files", ("a.jpg", b"x"))], data={"metadata": metadata})
    assert_problem(answer, 422, "bad_metadata")


def test_model_that_is_not_in_use(client: TestClient) -> None:
    assert_problem(client.post("/v1/embeddings", json={"input": "a", "model": "other"}), 404, "not_found")


def test_text_beyond_the_context_is_cut_with_a_warning(client: TestClient) -> None:
    answer = search(client, {"text": "a very long text " * 300}).json()
    assert [warning["code"] for warning in answer["warnings"]] == ["text_truncated"]


def test_request_id_is_the_callers_where_it_is_sane(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/healthz", headers={"X-Request-Id": "a b"}).headers["x-request-id"] != "a b"


def test_the_log_of_a_defect_has_the_id_that_its_caller_was_told(settings: Settings) -> None:
    with defective(settings) as client, capture_logs([merge_contextvars]) as logged:
        document = assert_problem(client.get("/v1/jobs"), 500, "internal")

    (line,) = [line for line in logged if line["event"] == "request_failed"]
    assert line["request_id"] == document["request_id"]


def test_the_answer_to_a_defect_has_what_every_answer_has(settings: Settings) -> None:
    origin = "https://shop.example.com"
    with defective(settings.model_copy(update={"cors_origins": [origin]})) as client:
        headers = client.get("/v1/jobs", headers={"X-Request-Id": "abc-1", "Origin": origin}).headers

    assert headers["X-Request-Id"] == "abc-1"
    assert {name: headers[name] for name in DEFAULTS} == DEFAULTS
    assert headers["Access-Control-Allow-Origin"] == origin


def test_a_defect_after_the_beginning_of_an_answer_is_logged_and_ends_it(settings: Settings) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"the beginning"
        raise ZeroDivisionError

    app = create_app(settings)
    app.add_api_route("/broken", lambda: StreamingResponse(pieces()))
    with (
        capture_logs() as logged,
        TestClient(app) as client,
        pytest.raises(ZeroDivisionError),
    ):
        client.get("/broken")

    assert [line["path"] for line in logged if line["event"] == "request_failed"] == ["/broken"]


@contextmanager
def defective(settings: Settings) -> Iterator[TestClient]:
    """A gateway without what its routes work with."""
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        app.state.gateway = None
        yield client
