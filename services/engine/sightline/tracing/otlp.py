"""Spans of OpenTelemetry, sent by OTLP over HTTP; the one door to its packages."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from sightline.tracing import Fact, Facts, Span, SpanKind, Tracer

_PATH = "/v1/traces"
_EXPORT_TIMEOUT_S = 5.0
"""Also how long a stopping process waits for a collector that does not answer."""
_HEADER = "traceparent"
_KINDS = {
    SpanKind.INTERNAL: trace.SpanKind.INTERNAL,
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CONSUMER: trace.SpanKind.CONSUMER,
}


class OtlpTracer:
    """See Tracer. Which traces are kept is told by OTEL_TRACES_SAMPLER, which the SDK reads."""

    def __init__(self, service: str, processor: SpanProcessor) -> None:
        """Hand the spans of `service` to `processor`."""
        about = {SERVICE_NAME: service, SERVICE_VERSION: version("sightline")}
        # Not made the global provider: libraries that look for one would record addresses and queries.
        self._provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("sightline", version("sightline"))
        self._format = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self,
        name: str,
        facts: Facts | None = None,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: str | None = None,
    ) -> Iterator[Span]:
        """See Tracer."""
        with self._tracer.start_as_current_span(
            name,
            context=self._format.extract({_HEADER: parent}) if parent else None,
            kind=_KINDS[kind],
            attributes=_attributes(facts),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield _OtlpSpan(span)
            except BaseException as error:
                # Its message may hold a path or an address.
                span.set_status(trace.StatusCode.ERROR, type(error).__name__)
                raise

    def passed(self, name: str, began_ns: int, facts: Facts | None = None) -> None:
        """See Tracer."""
        self._tracer.start_span(name, attributes=_attributes(facts), start_time=began_ns).end()

    def traceparent(self) -> str | None:
        """See Tracer."""
        carrier: dict[str, str] = {}
        self._format.inject(carrier)
        return carrier.get(_HEADER)

    def close(self) -> None:
        """See Tracer."""
        self._provider.shutdown()


class _OtlpSpan:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        """See Span."""
        self._span.update_name(name)

    def note(self, facts: Facts) -> None:
        """See Span."""
        self._span.set_attributes(_attributes(facts))


def open_otlp_tracer(endpoint: str, service: str) -> Tracer:
    """Send spans in the background to the collector at `endpoint`, as http://collector:4318."""
    url = endpoint.rstrip("/").removesuffix(_PATH) + _PATH
    return OtlpTracer(service, BatchSpanProcessor(OTLPSpanExporter(url, timeout=_EXPORT_TIMEOUT_S)))


def _attributes(facts: Facts | None) -> dict[str, Fact]:
    """Names with a dot are OpenTelemetry's; ours get a space of their own."""
    return {name if "." in name else f"sightline.{name}": fact for name, fact in (facts or {}).items()}
