"""The job resource: a job as the API shows it."""

from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel

from sightline.errors import FailureReason
from sightline.queue.jobs import Job, JobError, JobState

_LINKED = ("failures", "events", "cancel", "retry")


class JobCounts(BaseModel):
    """Source items by outcome; they add up to `total` at every moment."""

    total: int
    pending: int
    indexed: int
    unchanged: int
    failed: int
    canceled: int


class JobResource(BaseModel):
    """A job. `total` is what has been listed so far until `total_known`."""

    id: str
    kind: str
    collection: str
    state: JobState
    counts: JobCounts
    total_known: bool
    rate_per_s: float | None
    eta_s: float | None
    failures_by_reason: dict[FailureReason, int]
    error: JobError | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    links: dict[str, str]

    @classmethod
    def of(cls, job: Job) -> Self:
        """The resource of a job, with its mean rate since it started."""
        counts = job.counts
        rate = _rate_per_s(job)
        eta = counts.pending / rate if rate and job.total_known and not job.state.final else None
        here = f"/v1/jobs/{job.id}"
        return cls(
            id=job.id,
            kind=job.request.source.kind,
            collection=job.request.collection,
            state=job.state,
            counts=JobCounts(**counts.model_dump(), pending=counts.pending),
            total_known=job.total_known,
            rate_per_s=round(rate, 2) if rate is not None else None,
            eta_s=round(eta, 1) if eta is not None else None,
            failures_by_reason=job.failures_by_reason,
            error=job.error,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            links={"self": here} | {name: f"{here}/{name}" for name in _LINKED},
        )


def _rate_per_s(job: Job) -> float | None:
    if job.started_at is None or job.counts.done == 0:
        return None
    elapsed_s = ((job.finished_at or datetime.now(UTC)) - job.started_at).total_seconds()
    return job.counts.done / elapsed_s if elapsed_s > 0 else None
