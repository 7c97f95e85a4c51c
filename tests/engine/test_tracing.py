"""Spans reach a collector by OTLP, hold no messages of exceptions, and are nothing where none is named."""

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import ValidationError

from sightline.settings import Settings
from sightline.tracing import NO_TRACES, SpanKind, open_tracer


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.exports: list[ExportTraceServiceRequest] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Content-Encoding"] == "gzip":
                    body = gzip.decompress(body)
                collector.paths.append(self.path)
                collector.exports.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    Thread(target=collector.server.serve_forever, daemon=True).start()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


@pytest.mark.parametrize("path", ["", "/", "/v1/traces"])
def test_spans_go_to_the_collector(collector: Collector, path: str) -> None:
    tracer = open_tracer(Settings(otlp_endpoint=collector.url + path), "sightline-api")
    with tracer.span("request", {"pictures": 3}, kind=SpanKind.SERVER) as span:
        span.rename("GET /v1/search")
        traceparent = tracer.traceparent()
        with tracer.span("encode"):
            pass
    tracer.close()

    assert collector.paths == ["/v1/traces"]
    (resource,) = collector.exports[0].resource_spans
    about = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert about["service.name"] == "sightline-api"
    encode, request = resource.scope_spans[0].spans
    assert (encode.name, request.name) == ("encode", "GET /v1/search")
    assert encode.parent_span_id == request.span_id
    assert traceparent is not None
    assert f"-{request.trace_id.hex()}-{request.span_id.hex()}-" in traceparent
    assert {one.key: one.value.int_value for one in request.attributes} == {"sightline.pictures": 3}


def test_a_failure_is_marked_by_its_class_alone(collector: Collector) -> None:
    tracer = open_tracer(Settings(otlp_endpoint=collector.url), "sightline-embedder")
    with pytest.raises(ValueError, match="private"), tracer.span("batch"):
        raise ValueError("/private/path")
    tracer.close()

    (span,) = collector.exports[0].resource_spans[0].scope_spans[0].spans
    assert span.status.message == "ValueError"
    assert not span.events
    assert b"private" not in collector.exports[0].SerializeToString()


def test_a_parent_that_is_none_begins_a_trace(collector: Collector) -> None:
    tracer = open_tracer(Settings(otlp_endpoint=collector.url), "sightline-embedder")
    with tracer.span("batch", parent="00-no-parent-01"):
        assert tracer.traceparent() is not None
    tracer.close()

    (span,) = collector.exports[0].resource_spans[0].scope_spans[0].spans
    assert span.parent_span_id == b""


def test_without_an_endpoint_nothing_is_recorded() -> None:
    tracer = open_tracer(Settings(), "sightline-api")

    assert tracer is NO_TRACES
    with tracer.span("request", {"pictures": 3}, kind=SpanKind.SERVER, parent="x") as span:
        span.note({"pictures": 4})
        assert tracer.traceparent() is None


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317", "http://collector:4318?a=b"])
def test_an_endpoint_that_is_none(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="otlp_endpoint"):
        Settings(otlp_endpoint=endpoint)
