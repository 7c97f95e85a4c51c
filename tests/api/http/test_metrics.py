"""What Prometheus is told, and who may ask."""

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import anyio
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from redis import Redis
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from sightline.queue.connection import connect_redis
from sightline.queue.jobs import JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import RecordedSource
from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.http.metrics import Metrics
from sightline_api.http.request_metrics import RequestMetricsMiddleware
from sightline_local.data_folder import open_data_folder
from sightline_local.redis_child import RedisChild

KEY = "b41c9e07d25f8a63"


def samples(text: str, name: str) -> dict[tuple[str, ...], float]:
    """Values of the series of one name by the values of their labels, in the order of the labels' names."""
    return {
        tuple(one.labels[label] for label in sorted(one.labels)): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == name
    }


def requests(text: str) -> dict[tuple[str, ...], float]:
    """Requests by method, route and status."""
    return samples(text, "sightline_http_requests_total")


@pytest.fixture
def fresh(settings: Settings) -> TestClient:
    """A gateway that has not been asked anything; not started."""
    return TestClient(create_app(settings))


def test_the_version_and_the_process_are_told(client: TestClient) -> None:
    answer = client.get("/metrics").raise_for_status()

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert samples(answer.text, "sightline_build_info") == {(version("sightline-api"),): 1}
    assert samples(answer.text, "process_resident_memory_bytes")[()] > 1 << 20


def test_scrapes_take_no_more_than_one_thread(fresh: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way, most = 0, 0
    really_told = Metrics.text

    def counted(metrics: Metrics) -> bytes:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return really_told(metrics)
        finally:
            under_way -= 1

    monkeypatch.setattr(Metrics, "text", counted)
    with fresh as client, ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: client.get("/metrics").status_code, range(16)))
    assert (answers, most) == ([200] * 16, 1)


def test_requests_are_counted_by_the_template_of_their_route(fresh: TestClient) -> None:
    with fresh as client:
        client.get("/v1/jobs/one")
        client.get("/v1/jobs/two")
        client.put("/v1/jobs/two")
        client.get("/healthz")
        client.get("/nowhere/else")
        text = client.get("/metrics").text

    assert requests(text) == {
        ("GET", "/v1/jobs/{job_id}", "404"): 2,
        ("PUT", "/v1/jobs/{job_id}", "405"): 1,
        ("GET", "/healthz", "200"): 1,
        ("GET", "other", "404"): 1,
    }
    took = samples(text, "sightline_http_request_duration_seconds_sum")
    assert 0 < took["GET", "/healthz"] < 5
    assert samples(text, "sightline_http_request_duration_seconds_count")["GET", "/v1/jobs/{job_id}"] == 2


def test_what_callers_invent_makes_no_series(fresh: TestClient) -> None:
    with fresh as client:
        for number in range(20):
            client.request(f"FOO{number}", f"/bar{number}")
        client.get("/healthz", headers={"Host": "evil.example"})
        text = client.get("/metrics").text

    assert requests(text) == {("other", "other", "404"): 20, ("GET", "other", "400"): 1}


def test_a_defect_is_counted() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        raise AssertionError(f"{message['type']} is sent")

    metrics = Metrics()
    served = RequestMetricsMiddleware(broken, metrics)
    with pytest.raises(ZeroDivisionError):
        anyio.run(served, {"type": "http", "method": "GET", "path": "/"}, receive, send)

    assert requests(metrics.text().decode()) == {("GET", "other", "500"): 1}


def test_metrics_want_the_key(settings: Settings) -> None:
    guarded = settings.model_copy(update={"api_key": SecretStr("right")})
    with TestClient(create_app(guarded)) as client:
        refused = client.get("/metrics")
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert client.get("/metrics", headers={"Authorization": "Bearer right"}).status_code == 200


def test_two_applications_count_apart(settings: Settings, fresh: TestClient) -> None:
    with fresh as client, TestClient(create_app(settings)) as other:
        client.get("/healthz")
        assert requests(other.get("/metrics").text) == {}


def test_texts_are_counted_by_whether_they_are_remembered(fresh: TestClient) -> None:
    with fresh as client:
        client.get("/readyz").raise_for_status()  # makes the collection
        for query in ("a cat", "a dog", "a cat"):
            client.get("/v1/search", params={"q": query}).raise_for_status()
        text = client.get("/metrics").text

    assert samples(text, "sightline_text_cache_hits_total") == {(): 1}
    assert samples(text, "sightline_text_cache_misses_total") == {(): 2}
    assert samples(text, "sightline_encoder_batch_size_sum") == {("text",): 2}
    took = samples(text, "sightline_search_stage_duration_seconds_count")
    assert took == {("encode",): 3, ("index",): 3}


def test_what_waits_in_the_queue_is_told(fresh: TestClient, redis: Redis, ledger: Ledger) -> None:
    request = JobRequest(collection="images", source=RecordedSource(kind="upload"))
    with fresh as client:
        before = client.get("/metrics").text
        files = {"files": ("a.png", b"no picture")}
        client.post("/v1/images", files=files).raise_for_status()
        ledger.stop(ledger.create(request).id)
        ended = ledger.create(request).id
        ledger.end_listing(ended)
        text = client.get("/metrics").text

    assert samples(before, "sightline_queue_messages") == {("sightline.plan",): 0, ("sightline.ingest",): 0}
    assert samples(before, "sightline_queue_oldest_message_seconds")["sightline.plan",] == 0
    assert samples(text, "sightline_redis_up") == {(): 1}
    assert samples(text, "sightline_queue_messages") == {("sightline.plan",): 1, ("sightline.ingest",): 0}
    assert 0 < samples(text, "sightline_queue_oldest_message_seconds")["sightline.plan",] < 60
    assert samples(text, "sightline_jobs") == {("queued",): 1, ("running",): 0}
    assert samples(text, "sightline_jobs_ended_total") == {("canceled",): 1, ("succeeded",): 1}
    assert samples(text, "sightline_media_free_bytes")[()] > 0
    assert samples(text, "sightline_media_reserved_bytes") == {(): 512 << 20}


def test_a_redis_that_hangs_does_not_hold_a_scrape(settings: Settings, tmp_path: Path) -> None:
    with open_data_folder(tmp_path) as folder:
        child = RedisChild(folder)
        child.ensure()
        # This key is known without Redis.
        changed = {"redis_url": child.url, "api_key": SecretStr(KEY)}
        app = create_app(settings.model_copy(update=changed))
        with TestClient(app, headers={"X-API-Key": KEY}) as client:
            client.get("/healthz")
            process = psutil.Process(connect_redis(child.url).info("server")["process_id"])
            process.suspend()
            try:
                text = client.get("/metrics").raise_for_status().text
            finally:
                process.resume()
        child.stop()

    assert samples(text, "sightline_redis_up") == {(): 0}
    assert samples(text, "sightline_queue_messages") == {}
    assert requests(text)["GET", "/healthz", "200"] == 1
