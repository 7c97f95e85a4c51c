"""Traces of real requests: every stage under one id across the queue, and no more than ids and counts."""

import io
from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from celery.signals import setup_logging
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from PIL import Image
from pydantic import SecretStr
from starlette.testclient import TestClient

from sightline.queue.broker import send
from sightline.queue.connection import connect_redis
from sightline.queue.messages import IndexBatch, Queue
from sightline.settings import Settings
from sightline.tracing.otlp import OtlpTracer
from sightline_api.app import create_app
from sightline_embedder.assembly import Embedder, build_embedder
from sightline_embedder.metrics import EmbedderMetrics
from sightline_embedder.stages import Telemetry
from sightline_embedder.tasks import register_tasks

KEY = "a-key-that-nobody-guesses"
HEADERS = {"X-API-Key": KEY, "Prefer": "wait=60"}
CALLERS_TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLERS_SPAN = f"00-{CALLERS_TRACE}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    """The spans of one test."""
    exporter.clear()
    return exporter


@pytest.fixture(scope="module")
def traced(settings: Settings, exporter: InMemorySpanExporter, redis_url: str) -> Iterator[TestClient]:
    """A gateway whose spans are kept, and no messages of others."""
    connect_redis(redis_url).flushall()
    guarded = settings.model_copy(update={"api_key": SecretStr(KEY)})
    tracer = OtlpTracer("sightline-api", SimpleSpanProcessor(exporter))
    with TestClient(create_app(guarded, tracer), headers=HEADERS) as client:
        yield client


@pytest.fixture(scope="module")
def embedder(settings: Settings, exporter: InMemorySpanExporter) -> Iterator[Embedder]:
    """An embedder that takes messages, whose spans are kept beside those of the gateway."""
    tracer = OtlpTracer("sightline-embedder", SimpleSpanProcessor(exporter))
    telemetry = Telemetry(EmbedderMetrics(), tracer)
    embedder, stopping = build_embedder(settings, telemetry), Event()
    register_tasks(embedder.broker, embedder.planner(), embedder.runner(), stopping, telemetry)
    setup_logging.connect(_leave_logging_alone)
    options: dict[str, Any] = {"queues": [queue.value for queue in Queue], "perform_ping_check": False}
    with start_worker(embedder.broker, concurrency=2, pool="threads", **options):
        yield embedder
    stopping.set()
    setup_logging.disconnect(_leave_logging_alone)
    embedder.close()


def _leave_logging_alone(**_: object) -> None:
    """With a receiver, Celery does."""


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (48, 32), colour).save(out, "PNG")
    return out.getvalue()


def upload(client: TestClient, *colours: str) -> Any:
    """The ended job of an upload."""
    files = [("files", (f"private-{colour}.png", picture(colour))) for colour in colours]
    files.append(("files", ("private-notes.txt", b"no picture")))
    answer = client.post("/v1/images", files=files, data={"tags": "private-tag"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def named(spans: InMemorySpanExporter) -> dict[str, list[ReadableSpan]]:
    """What has been recorded, by name."""
    found: dict[str, list[ReadableSpan]] = {}
    for span in spans.get_finished_spans():
        found.setdefault(span.name, []).append(span)
    return found


def trace_ids(spans: Sequence[ReadableSpan]) -> set[str]:
    return {f"{span.context.trace_id:032x}" for span in spans if span.context}


def below(parent: ReadableSpan, spans: dict[str, list[ReadableSpan]]) -> set[str]:
    """Names of the spans right below one."""
    assert parent.context is not None
    here = parent.context.span_id
    return {one.name for many in spans.values() for one in many if one.parent and one.parent.span_id == here}


def test_an_upload_is_one_trace_across_the_queue(
    traced: TestClient, embedder: Embedder, spans: InMemorySpanExporter
) -> None:
    job = upload(traced, "red", "green")
    found = spans_once_ended(spans, plan=1, batch=1)

    assert job["counts"]["indexed"] == 2
    assert job["counts"]["failed"] == 1
    assert len(trace_ids([one for many in found.values() for one in many])) == 1
    (request,) = found["POST /v1/images"]
    (batch,) = found["batch"]
    assert below(request, found) == {"store upload", "record job", "plan", "batch"}
    stages = {"fetch", "lookup", "decode", "encode", "thumbnail", "upsert", "complete", "record"}
    assert below(batch, found) == stages
    assert found.keys() == below(request, found) | stages | {request.name}
    assert dict(batch.attributes or {}) == {"sightline.job_id": job["id"], "sightline.batch_id": "0"}
    assert dict(found["decode"][0].attributes or {}) == {"sightline.pictures": 3, "sightline.failed": 1}
    services = {one.resource.attributes["service.name"] for one in (request, batch)}
    assert services == {"sightline-api", "sightline-embedder"}


def test_a_batch_that_is_run_again_stays_in_its_trace(
    traced: TestClient, embedder: Embedder, spans: InMemorySpanExporter
) -> None:
    job = upload(traced, "blue")
    again = IndexBatch(job_id=job["id"], batch_id="0", origin=embedder.ledger.job(job["id"]).origin)
    send(embedder.broker, again)
    found = spans_once_ended(spans, plan=1, batch=2)

    assert len(trace_ids(found["batch"] + found["POST /v1/images"])) == 1


def test_a_search_is_part_of_its_callers_trace(traced: TestClient, spans: InMemorySpanExporter) -> None:
    traced.get("/readyz").raise_for_status()
    traced.get("/v1/search", params={"q": "a secret wish"}, headers={"traceparent": CALLERS_SPAN})
    found = named(spans)

    (request,) = found["GET /v1/search"]
    assert trace_ids([request]) == {CALLERS_TRACE}
    assert below(request, found) == {"encode", "index"}
    assert (request.attributes or {})["http.response.status_code"] == 200


def test_spans_hold_ids_and_counts_alone(
    traced: TestClient, embedder: Embedder, spans: InMemorySpanExporter
) -> None:
    upload(traced, "white")
    traced.get("/v1/search", params={"q": "a secret wish"})
    traced.post("/v1/session", json={"key": KEY})
    traced.get("/v1/nowhere/private-path")
    traced.post("/v1/ingest", json={"source": {"kind": "folder", "path": "/private/folder"}})
    spans_once_ended(spans, plan=1, batch=1)

    written = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "POST /v1/session" in written
    for private in ("private", "secret", "wish", KEY, "sightline_session", "redis", "/tmp"):
        assert private not in written


def test_probes_are_not_traced(traced: TestClient, spans: InMemorySpanExporter) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        traced.get(path).raise_for_status()

    assert spans.get_finished_spans() == ()


def spans_once_ended(spans: InMemorySpanExporter, **times: int) -> dict[str, list[ReadableSpan]]:
    """What has been recorded once so many of each name have: messages are done after their job is."""
    for _ in range(600):
        found = named(spans)
        if all(len(found.get(name, ())) >= count for name, count in times.items()):
            return found
        Event().wait(0.05)
    raise AssertionError(f"{times} were not recorded, but {sorted(named(spans))}")
