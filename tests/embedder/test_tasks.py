"""What becomes of a message whose work fails."""

from threading import Event
from typing import Any, cast

import pytest
from celery import Celery
from celery.exceptions import Reject

from sightline.errors import Unavailable
from sightline.queue.messages import PlanJob
from sightline.tracing import NO_TRACES
from sightline_embedder.batches import BatchRunner
from sightline_embedder.metrics import EmbedderMetrics
from sightline_embedder.planning import Planner, PlanningFailed
from sightline_embedder.stages import Telemetry
from sightline_embedder.tasks import register_tasks


class Failing:
    """A planner that fails."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    def plan(self, job_id: str) -> None:
        raise self._fault


@pytest.mark.parametrize("fault", [Unavailable("the index", "gone"), PlanningFailed("ValueError: a defect")])
def test_planning_that_is_to_be_tried_again_gives_its_message_back(broker: Celery, fault: Exception) -> None:
    no_pause = Event()
    no_pause.set()
    planner, runner = cast(Planner, Failing(fault)), cast(BatchRunner, None)
    register_tasks(broker, planner, runner, no_pause, Telemetry(EmbedderMetrics(), NO_TRACES))
    task: Any = broker.tasks[PlanJob.task]

    with pytest.raises(Reject) as caught:
        task(job_id="0" * 24)

    assert caught.value.requeue
