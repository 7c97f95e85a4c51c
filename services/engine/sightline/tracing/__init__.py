"""Traces: how long each stage of a request or a job took, and what it was part of. Off by default.

Facts on spans are ids and counts. Texts of queries, names of files, addresses and keys stay out: those
who may see traces are not those who may see pictures.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Protocol, TypeAlias

from sightline.errors import SettingsError
from sightline.settings import Settings

Fact: TypeAlias = str | int | float | bool
Facts: TypeAlias = Mapping[str, Fact]


class SpanKind(StrEnum):
    """A span's part between processes: it answers a request, takes a message, or neither."""

    INTERNAL = "internal"
    SERVER = "server"
    CONSUMER = "consumer"


class Span(Protocol):
    """A stage that is under way."""

    def rename(self, name: str) -> None:
        """Give it another name than it began with."""

    def note(self, facts: Facts) -> None:
        """Add what became known of it since it began."""


class Tracer(Protocol):
    """Records spans. Safe to call from several threads; each goes on with the span of its own context."""

    def span(
        self,
        name: str,
        facts: Facts | None = None,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: str | None = None,
    ) -> AbstractContextManager[Span]:
        """A span for the time that the caller is inside, within the caller's own or that of `parent`.

        `parent` is a traceparent; one that is none begins a trace. What is raised inside marks the span
        as failed, by its class alone.
        """

    def passed(self, name: str, began_ns: int, facts: Facts | None = None) -> None:
        """Record a span that began at `began_ns` (Unix time) and ends now."""

    def traceparent(self) -> str | None:
        """The caller's span, for a message (W3C Trace Context); None where nothing is recorded."""

    def close(self) -> None:
        """Send what has not been sent."""


def open_tracer(settings: Settings, service: str) -> Tracer:
    """The tracer of a process; raises SettingsError if traces are wanted and cannot be had."""
    if settings.otlp_endpoint is None:
        return NO_TRACES
    try:
        # Only here: nobody who keeps no traces needs these packages.
        from sightline.tracing.otlp import open_otlp_tracer
    except ImportError as error:
        raise SettingsError(
            "SIGHTLINE_OTLP_ENDPOINT is set, but OpenTelemetry is not installed. Get 'sightline[tracing]' "
            "or, with docker compose, set ENGINE_EXTRAS=[tracing] and build again; or unset the endpoint."
        ) from error
    return open_otlp_tracer(settings.otlp_endpoint, service)


class _NoSpan:
    def rename(self, *_: object) -> None:
        """See Span."""

    def note(self, *_: object) -> None:
        """See Span."""


class _NoTracer:
    def span(self, *_: object, **__: object) -> AbstractContextManager[Span]:
        """See Tracer."""
        return nullcontext(_NO_SPAN)

    def passed(self, *_: object) -> None:
        """See Tracer."""

    def traceparent(self) -> str | None:
        """See Tracer."""
        return None

    def close(self) -> None:
        """See Tracer."""


_NO_SPAN = _NoSpan()
NO_TRACES: Tracer = _NoTracer()
"""Records nothing."""
