"""How a job is laid out in Redis: its keys, and reading its hash back."""

from datetime import datetime

from sightline.errors import FailureReason
from sightline.queue.jobs import Counts, Job, JobError, JobRequest, JobState, PlanState
from sightline.queue.origin import NO_ORIGIN, Origin

JOBS = "sightline:jobs"
ACTIVE = "sightline:jobs:active"
ENDED = "sightline:jobs:ended"
"""How many jobs have ever ended, by their last state."""
PLAN_FIELDS = ("cursor", "next_batch", "total", "total_known", "finished_at", "origin", "state")


def job_key(job_id: str, part: str | None = None) -> str:
    """The key of a job's hash, or of one of its parts."""
    return f"sightline:job:{job_id}" + (f":{part}" if part else "")


def job_keys(job_id: str) -> list[str]:
    """The keys that every script takes, in its order."""
    parts = ("batches", "failures", "reasons", "starts", "refs")
    return [job_key(job_id), *(job_key(job_id, part) for part in parts), ACTIVE, ENDED]


def new_record(request: JobRequest, created_at: datetime, origin: Origin) -> dict[str, str]:
    """The hash of a job that nobody has begun."""
    record = {
        "request": request.model_dump_json(),
        "state": JobState.QUEUED.value,
        "created_at": created_at.isoformat(),
        "next_batch": "0",
        "total_known": "0",
        "origin": origin.model_dump_json(),
    }
    return record | dict.fromkeys(Counts.model_fields, "0")


def read_job(job_id: str, record: dict[str, str], reasons: dict[str, str]) -> Job:
    """A job from its hash and its counts by reason."""
    return Job(
        id=job_id,
        request=JobRequest.model_validate_json(record["request"]),
        state=JobState(record["state"]),
        counts=Counts.model_validate({name: record[name] for name in Counts.model_fields}),
        total_known=record["total_known"] == "1",
        failures_by_reason={FailureReason(name): int(count) for name, count in reasons.items()},
        error=JobError.model_validate_json(record["error"]) if "error" in record else None,
        origin=_origin(record.get("origin")),
        created_at=datetime.fromisoformat(record["created_at"]),
        started_at=_time(record.get("started_at")),
        finished_at=_time(record.get("finished_at")),
    )


def read_plan_state(values: list[str | None], in_flight: int) -> PlanState | None:
    """Where listing stands from the values of PLAN_FIELDS; None if there is no such job."""
    cursor, next_batch, total, listed, finished_at, origin, state = values
    if state is None:
        return None
    return PlanState(
        cursor=cursor,
        next_batch=int(next_batch or 0),
        next_number=int(total or 0),
        in_flight=in_flight,
        listed=listed == "1",
        final=finished_at is not None,
        origin=_origin(origin),
    )


def _origin(text: str | None) -> Origin:
    return Origin.model_validate_json(text) if text else NO_ORIGIN


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
