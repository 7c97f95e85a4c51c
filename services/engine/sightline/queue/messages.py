"""What travels through the queue: task names, their queues and bodies. References, never bytes."""

from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from sightline.queue.origin import NO_ORIGIN, Origin


class Queue(StrEnum):
    """The queues of Redis; an embedder takes from both."""

    PLAN = "sightline.plan"
    INGEST = "sightline.ingest"


class PlanJob(BaseModel):
    """List the job's source from where listing stopped, and send what there is room for."""

    model_config = ConfigDict(frozen=True)
    task: ClassVar[str] = "sightline.plan_job"
    queue: ClassVar[Queue] = Queue.PLAN

    job_id: str
    origin: Origin = NO_ORIGIN


class IndexBatch(BaseModel):
    """Index one planned batch of a job; its items are in the ledger."""

    model_config = ConfigDict(frozen=True)
    task: ClassVar[str] = "sightline.index_batch"
    queue: ClassVar[Queue] = Queue.INGEST

    job_id: str
    batch_id: str
    origin: Origin = NO_ORIGIN


Message = PlanJob | IndexBatch
