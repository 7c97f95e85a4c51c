"""The ledger: every job's record in Redis, written before any message about it is sent.

Counts are never incremented by hand: a batch's outcome is set once, together with its removal from
the planned batches, so a batch that runs twice counts once.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, cast

from redis import Redis
from redis.exceptions import RedisError

from sightline.errors import FailureReason, JobNotFound, Unavailable
from sightline.queue import ledger_scripts
from sightline.queue.jobs import (
    Batch,
    BatchOutcome,
    Counts,
    Failure,
    Job,
    JobError,
    JobRequest,
    JobState,
    PlanState,
)

_Value: TypeAlias = "bytes | bytearray | memoryview[int] | str | int | float"
"""What redis-py takes as a value."""

_JOBS = "sightline:jobs"
_ACTIVE = "sightline:jobs:active"


def connect_redis(redis_url: str) -> Redis:
    """A client with bounded waits; connects on first use."""
    return Redis.from_url(
        redis_url,
        decode_responses=True,
        socket_timeout=5.0,
        socket_connect_timeout=2.0,
        health_check_interval=15,
    )


class Ledger:
    """Records of jobs. Every call raises Unavailable when Redis does not answer."""

    def __init__(self, redis: Redis, retention: timedelta) -> None:
        self._redis = redis
        self._retention_s = int(retention.total_seconds())
        self._plan_batch = redis.register_script(ledger_scripts.PLAN_BATCH)
        self._end_listing = redis.register_script(ledger_scripts.END_LISTING)
        self._set_outcome = redis.register_script(ledger_scripts.SET_OUTCOME)

    def ping(self) -> None:
        """Return when Redis answers."""
        with _redis_errors():
            self._redis.ping()

    def create(self, request: JobRequest) -> Job:
        """Record a new job, queued. Ids sort by time of creation."""
        now = datetime.now(UTC)
        job_id = f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(6)}"
        record: dict[_Value, _Value] = {
            "request": request.model_dump_json(),
            "state": JobState.QUEUED.value,
            "created_at": now.isoformat(),
            "next_batch": 0,
            "total_known": 0,
        }
        record |= dict.fromkeys(Counts.model_fields, 0)
        with _redis_errors(), self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(_key(job_id), mapping=record)
            pipe.zadd(_JOBS, {job_id: now.timestamp()})
            pipe.sadd(_ACTIVE, job_id)
            pipe.zremrangebyscore(_JOBS, 0, now.timestamp() - self._retention_s)
            pipe.execute()
        return self.job(job_id)

    def job(self, job_id: str) -> Job:
        """One job; raises JobNotFound."""
        with _redis_errors(), self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(_key(job_id))
            pipe.hgetall(_key(job_id, "reasons"))
            record, reasons = pipe.execute()
        if not record:
            raise JobNotFound(job_id)
        return _read_job(job_id, record, reasons)

    def list_jobs(self, *, state: JobState | None, before: str | None, limit: int) -> Sequence[Job]:
        """Jobs, newest first, after the one named `before`."""
        jobs: list[Job] = []
        for job_id in self._ids_newest_first(before):
            try:
                job = self.job(job_id)
            except JobNotFound:
                continue
            if state is None or job.state == state:
                jobs.append(job)
            if len(jobs) == limit:
                break
        return jobs

    def active(self) -> Sequence[str]:
        """Ids of the jobs that have not ended, oldest first."""
        with _redis_errors():
            return sorted(cast(set[str], self._redis.smembers(_ACTIVE)))

    def plan_state(self, job_id: str) -> PlanState:
        """Where listing the job's source stands; raises JobNotFound."""
        fields = ("cursor", "next_batch", "total", "total_known", "finished_at", "state")
        with _redis_errors(), self._redis.pipeline(transaction=True) as pipe:
            pipe.hmget(_key(job_id), *fields)
            pipe.hlen(_key(job_id, "batches"))
            (cursor, next_batch, total, listed, finished_at, state), in_flight = pipe.execute()
        if state is None:
            raise JobNotFound(job_id)
        return PlanState(
            cursor=cursor,
            next_batch=int(next_batch),
            next_number=int(total),
            in_flight=in_flight,
            listed=listed == "1",
            final=finished_at is not None,
        )

    def plan_batch(self, job_id: str, batch: Batch, cursor: str) -> bool:
        """Record a batch before its message is sent; False if another planner was first."""
        args: list[_Value] = [batch.id, batch.model_dump_json(), len(batch.items), cursor, _now()]
        with _redis_errors():
            return bool(self._plan_batch(keys=_keys(job_id), args=args))

    def end_listing(self, job_id: str, error: JobError | None = None) -> None:
        """Record that the source has no more items, or cannot be listed further."""
        with _redis_errors():
            self._end_listing(
                keys=_keys(job_id),
                args=[_now(), self._retention_s, job_id, error.model_dump_json() if error else ""],
            )

    def batch(self, job_id: str, batch_id: int) -> Batch | None:
        """A planned batch, or None once it has an outcome."""
        with _redis_errors():
            record = self._redis.hget(_key(job_id, "batches"), str(batch_id))
        return Batch.model_validate_json(record) if record else None

    def pending_batches(self, job_id: str) -> Sequence[int]:
        """Ids of the batches that have no outcome yet."""
        with _redis_errors():
            return sorted(int(batch_id) for batch_id in self._redis.hkeys(_key(job_id, "batches")))

    def count_attempt(self, job_id: str, batch_id: int) -> int:
        """Count one failed attempt at a batch, and say how many there were."""
        with _redis_errors():
            return int(self._redis.hincrby(_key(job_id), f"attempts:{batch_id}", 1))

    def set_outcome(self, job_id: str, batch_id: int, outcome: BatchOutcome) -> bool:
        """Set what became of a batch; False, and nothing changes, if that was known already."""
        args: list[_Value] = [_now(), self._retention_s, job_id, batch_id, outcome.indexed, outcome.unchanged]
        for failure in outcome.failures:
            args += [failure.number, failure.reason.value, failure.model_dump_json()]
        with _redis_errors():
            return bool(self._set_outcome(keys=_keys(job_id), args=args))

    def failures(
        self, job_id: str, *, reason: FailureReason | None, after: int, limit: int
    ) -> Sequence[Failure]:
        """Failures in the order of listing, those numbered above `after`; raises JobNotFound."""
        self.job(job_id)
        found: list[Failure] = []
        while len(found) < limit:
            with _redis_errors():
                page = cast(
                    list[str],
                    self._redis.zrangebyscore(
                        _key(job_id, "failures"), f"({after}", "+inf", start=0, num=limit
                    ),
                )
            if not page:
                break
            failures = [Failure.model_validate_json(record) for record in page]
            found += [failure for failure in failures if reason in (None, failure.reason)]
            after = failures[-1].number
        return found[:limit]

    def _ids_newest_first(self, before: str | None) -> Iterator[str]:
        page = 100
        start = 0
        with _redis_errors():
            if before is not None:
                rank = cast(int | None, self._redis.zrevrank(_JOBS, before))
                start = 0 if rank is None else rank + 1
            while ids := cast(list[str], self._redis.zrevrange(_JOBS, start, start + page - 1)):
                yield from ids
                start += page


def _read_job(job_id: str, record: dict[str, str], reasons: dict[str, str]) -> Job:
    return Job(
        id=job_id,
        request=JobRequest.model_validate_json(record["request"]),
        state=JobState(record["state"]),
        counts=Counts.model_validate({name: record[name] for name in Counts.model_fields}),
        total_known=record["total_known"] == "1",
        failures_by_reason={FailureReason(name): int(count) for name, count in reasons.items()},
        error=JobError.model_validate_json(record["error"]) if "error" in record else None,
        created_at=datetime.fromisoformat(record["created_at"]),
        started_at=_time(record.get("started_at")),
        finished_at=_time(record.get("finished_at")),
    )


def _key(job_id: str, part: str | None = None) -> str:
    return f"sightline:job:{job_id}" + (f":{part}" if part else "")


def _keys(job_id: str) -> list[str]:
    parts = ("batches", "failures", "reasons")
    return [_key(job_id), *(_key(job_id, part) for part in parts), _ACTIVE]


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat()


@contextmanager
def _redis_errors() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable("Redis (the job ledger)", str(error)) from error
