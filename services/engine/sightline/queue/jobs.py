"""Jobs as the ledger records them: what was asked for, how far it is, what went wrong."""

import re
import secrets
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from sightline.errors import FailureReason
from sightline.queue.origin import Origin
from sightline.queue.sources import Item, JobSource
from sightline.settings import CollectionName

_TIME_DIGITS = 12
_ID = re.compile(r"[0-9a-f]{24}")


class JobState(StrEnum):
    """A job's life; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class JobRequest(BaseModel):
    """What a client asked for. `tags` and `metadata` go to every picture the job makes a point of.

    Pictures that are indexed already keep their own, or with `update` get what this job brings.
    """

    model_config = ConfigDict(frozen=True)

    collection: CollectionName
    source: JobSource
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    on_duplicate: Literal["skip", "update"] = "skip"


class IdempotencyKey(BaseModel):
    """A key under which a request makes one job, and the hash of the request's body."""

    model_config = ConfigDict(frozen=True)

    key: str
    body: str


class Counts(BaseModel):
    """Source items by outcome; at every moment they add up to `total`."""

    model_config = ConfigDict(frozen=True)

    total: int = 0
    indexed: int = 0
    unchanged: int = 0
    failed: int = 0
    canceled: int = 0

    @property
    def done(self) -> int:
        """Items with an outcome."""
        return self.indexed + self.unchanged + self.failed + self.canceled

    @property
    def pending(self) -> int:
        """Items listed and without an outcome yet."""
        return self.total - self.done


class JobError(BaseModel):
    """Why a whole job failed, as opposed to some of its pictures."""

    model_config = ConfigDict(frozen=True)

    code: str
    detail: str


class Job(BaseModel):
    """A job as it stands. `total_known` says whether listing the source has ended."""

    model_config = ConfigDict(frozen=True)

    id: str
    request: JobRequest
    state: JobState
    counts: Counts
    total_known: bool
    failures_by_reason: dict[FailureReason, int]
    error: JobError | None
    origin: Origin
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def new_job_id(now: datetime) -> str:
    """An id unlike any other, by which jobs are in the order of their making."""
    return f"{int(now.timestamp() * 1000):0{_TIME_DIGITS}x}{secrets.token_hex(6)}"


def is_job_id(text: str) -> bool:
    """Whether a job can have this id."""
    return _ID.fullmatch(text) is not None


class ListedJob(NamedTuple):
    """A job in the list of all, made `made_us` microseconds after 1970 began.

    `job` is None once its record has expired.
    """

    id: str
    made_us: int
    job: Job | None


class Failure(BaseModel):
    """One picture that was not indexed, and why."""

    model_config = ConfigDict(frozen=True)

    item: Item
    reason: FailureReason
    detail: str
    attempts: int
    at: datetime


class BatchOutcome(BaseModel):
    """What became of a batch: set once in the ledger, however often the batch runs."""

    model_config = ConfigDict(frozen=True)

    indexed: int
    unchanged: int
    canceled: int = 0
    failures: tuple[Failure, ...] = ()


NOTHING_DONE = BatchOutcome(indexed=0, unchanged=0)


class Batch(BaseModel):
    """Items planned together."""

    model_config = ConfigDict(frozen=True)

    id: str
    items: tuple[Item, ...]

    def halves(self) -> "tuple[Batch, Batch]":
        """The batch in two, under ids of their own; both hold something if it holds two or more."""
        middle = len(self.items) // 2
        return (
            Batch(id=f"{self.id}a", items=self.items[:middle]),
            Batch(id=f"{self.id}b", items=self.items[middle:]),
        )


class Claim(BaseModel):
    """A batch that somebody starts on. `starts` counts this one; `defect` is what ended the last."""

    model_config = ConfigDict(frozen=True)

    batch: Batch
    starts: int
    defect: str | None


PLANNING = "planning"
"""What the starts of a job's planning are counted under, beside those of its batches."""


class PlanningStart(BaseModel):
    """Planning that somebody starts on. `starts` counts those since it last got on, and this one.

    `defect` is what ended the last of them, where that could still be noted.
    """

    model_config = ConfigDict(frozen=True)

    starts: int
    defect: str | None


class PlanState(BaseModel):
    """Where listing stands: `cursor` is what the source gave with its last item."""

    model_config = ConfigDict(frozen=True)

    cursor: str | None
    next_batch: int
    next_number: int
    in_flight: int
    listed: bool
    final: bool
    origin: Origin
