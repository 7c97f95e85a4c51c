"""The stages of a batch, and who is told how long each took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sightline.queue.jobs import BatchOutcome
from sightline.tracing import Tracer


class Stage(StrEnum):
    """What is timed. FETCH and DECODE are of one picture, the others of a batch."""

    FETCH = "fetch"
    DECODE = "decode"
    ENCODE = "encode"
    THUMBNAIL = "thumbnail"
    UPSERT = "upsert"


class PipelineObserver(Protocol):
    """Is told what the pipeline does. Called from several threads; must be quick and raise nothing."""

    def stage_took(self, stage: Stage, seconds: float) -> None:
        """A stage has ended well."""

    def pictures_encoded(self, pictures: int) -> None:
        """So many were given to the encoder at once."""

    def outcome_recorded(self, outcome: BatchOutcome) -> None:
        """A batch has its outcome, which is told once however often the batch runs."""

    def message_handled(self, task: str, *, given_back: bool) -> None:
        """A message was worked off, or goes back to its queue."""


@dataclass(frozen=True)
class Telemetry:
    """Where the pipeline tells what it does: figures to the observer, spans to the tracer."""

    observer: PipelineObserver
    tracer: Tracer

    @contextmanager
    def stage(self, stage: Stage, pictures: int) -> Iterator[None]:
        """Time what the caller does inside, for a batch of `pictures`."""
        began = time.perf_counter()
        with self.tracer.span(stage.value, {"pictures": pictures}):
            yield
        self.observer.stage_took(stage, time.perf_counter() - began)

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Time what the caller does inside for one picture, which is too small for a span."""
        began = time.perf_counter()
        yield
        self.observer.stage_took(stage, time.perf_counter() - began)
