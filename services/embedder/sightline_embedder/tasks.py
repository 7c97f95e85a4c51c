"""The tasks: each parses its message, calls one function, and says what to do with the message."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event
from typing import Any

import structlog
from celery import Celery
from celery.exceptions import Reject

from sightline.errors import ModelError, SpaceMismatch, Unavailable
from sightline.queue.messages import IndexBatch, Message, PlanJob
from sightline.tracing import SpanKind
from sightline_embedder.batches import BatchFailed, BatchRunner
from sightline_embedder.planning import Planner, PlanningFailed
from sightline_embedder.stages import Telemetry

_log = structlog.get_logger(__name__)

PAUSE_S = 5.0
"""Rest before a message is given back, so that a missing service is not asked in a hot loop."""


def register_tasks(
    app: Celery, planner: Planner, runner: BatchRunner, stopping: Event, telemetry: Telemetry
) -> None:
    """Bind the tasks of this application to their collaborators; `stopping` cuts a pause short."""

    @app.task(name=PlanJob.task, shared=False)  # type: ignore[untyped-decorator]
    def plan_job(**body: Any) -> None:
        message = PlanJob.model_validate(body)
        with _handled("plan", message, {"job_id": message.job_id}, stopping, telemetry):
            planner.plan(message.job_id)

    @app.task(name=IndexBatch.task, shared=False)  # type: ignore[untyped-decorator]
    def index_batch(**body: Any) -> None:
        message = IndexBatch.model_validate(body)
        ids = {"job_id": message.job_id, "batch_id": message.batch_id}
        with _handled("batch", message, ids, stopping, telemetry):
            runner.run(message.job_id, message.batch_id)
            planner.batch_ended(message.job_id)


@contextmanager
def _handled(
    name: str, message: Message, ids: Mapping[str, str], stopping: Event, telemetry: Telemetry
) -> Iterator[None]:
    """Work on a message in a span of its job's trace and with its ids in the log, or give it back."""
    origin = message.origin
    with structlog.contextvars.bound_contextvars(request_id=origin.request_id, **ids):
        try:
            with telemetry.tracer.span(name, ids, kind=SpanKind.CONSUMER, parent=origin.traceparent):
                yield
        except (Unavailable, SpaceMismatch, ModelError, BatchFailed, PlanningFailed) as error:
            telemetry.observer.message_handled(message.task, given_back=True)
            _log.warning("message_given_back", reason=str(error) or type(error).__name__)
            stopping.wait(PAUSE_S)
            raise Reject(str(error), requeue=True) from error
        telemetry.observer.message_handled(message.task, given_back=False)
