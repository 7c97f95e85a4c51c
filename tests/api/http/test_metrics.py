"""What Prometheus is told, and who may ask."""

from importlib.metadata import version

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.http.metrics import Metrics
from sightline_api.http.request_metrics import RequestMetricsMiddleware


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
