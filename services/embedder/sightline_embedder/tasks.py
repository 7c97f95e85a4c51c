"""The tasks: each parses its message, calls one function, and says what to do with the message."""

from collections.abc import Callable
from threading import Event
from typing import Any

import structlog
from celery import Celery
from celery.exceptions import Reject

from sightline.errors import SpaceMismatch, Unavailable
from sightline.queue.messages import IndexBatch, PlanJob
from sightline_embedder.batches import BatchFailed, BatchRunner
from sightline_embedder.planning import Planner

_log = structlog.get_logger(__name__)

PAUSE_S = 5.0
"""Rest before a message is given back, so that a missing service is not asked in a hot loop."""


def register_tasks(app: Celery, planner: Planner, runner: BatchRunner, stopping: Event) -> None:
    """Bind the tasks to their collaborators; `stopping` cuts a pause short."""

    @app.task(name=PlanJob.task)  # type: ignore[untyped-decorator]
    def plan_job(**body: Any) -> None:
        message = PlanJob.model_validate(body)
        _or_give_back(lambda: planner.plan(message.job_id), stopping)

    @app.task(name=IndexBatch.task)  # type: ignore[untyped-decorator]
    def index_batch(**body: Any) -> None:
        message = IndexBatch.model_validate(body)

        def run() -> None:
            runner.run(message.job_id, message.batch_id)
            planner.batch_ended(message.job_id)

        _or_give_back(run, stopping)


def _or_give_back(work: Callable[[], None], stopping: Event) -> None:
    try:
        work()
    except (Unavailable, SpaceMismatch, BatchFailed) as error:
        _log.warning("message_given_back", reason=str(error) or type(error).__name__)
        stopping.wait(PAUSE_S)
        raise Reject(str(error), requeue=True) from error
