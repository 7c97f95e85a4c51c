"""The ledger: every job's record in Redis, written before any message about it is sent.

Counts are never incremented by hand: a batch's outcome is set once, together with its removal from
the planned batches, so a batch that runs twice counts once.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeAlias, cast

from redis import Redis

from sightline.errors import (
    CollectionBeingDeleted,
    FailureReason,
    IdempotencyKeyReused,
    JobNotFound,
    Unavailable,
)
from sightline.queue import ledger_scripts
from sightline.queue.connection import redis_errors
from sightline.queue.drops import DROPS
from sightline.queue.job_records import (
    ACTIVE,
    JOBS,
    PLAN_FIELDS,
    job_key,
    job_keys,
    new_record,
    read_job,
    read_plan_state,
)
from sightline.queue.jobs import (
    NOTHING_DONE,
    Batch,
    BatchOutcome,
    Claim,
    Failure,
    IdempotencyKey,
    Job,
    JobError,
    JobRequest,
    ListedJob,
    PlanningStart,
    PlanState,
    is_job_id,
    new_job_id,
)
from sightline.queue.origin import NO_ORIGIN, Origin
from sightline.queue.sources import PictureRef

_Value: TypeAlias = "bytes | bytearray | memoryview[int] | str | int | float"
"""What redis-py takes as a value."""

_SERVICE = "the job ledger"
_IDEMPOTENCY_KEPT_S = 24 * 3600
_UNCREATED_KEPT_S = 3600
"""References of a job whose record never came, because its maker died, go after this."""
_REFS_AT_ONCE = 500
_FAILURES_AT_ONCE = 500
_JOBS_AT_ONCE = 100
"""Far more than are made in one microsecond, and jobs' times are kept to that."""
_MICROSECONDS = 10**6
_REPLICATED = "sightline:replicated"
_REPLICATION_WAIT_S = 2


class Ledger:
    """Records of jobs. Every call raises Unavailable when Redis does not answer."""

    def __init__(self, redis: Redis, retention: timedelta, wait_replicas: int = 0) -> None:
        """`wait_replicas`: what `await_replicas` waits for."""
        self._redis = redis
        self._wait_replicas = wait_replicas
        self._retention_s = int(retention.total_seconds())
        self._create = redis.register_script(ledger_scripts.CREATE)
        self._plan_batch = redis.register_script(ledger_scripts.PLAN_BATCH)
        self._end_listing = redis.register_script(ledger_scripts.END_LISTING)
        self._stop = redis.register_script(ledger_scripts.STOP)
        self._start_planning = redis.register_script(ledger_scripts.START_PLANNING)
        self._claim = redis.register_script(ledger_scripts.CLAIM)
        self._note_defect = redis.register_script(ledger_scripts.NOTE_DEFECT)
        self._split = redis.register_script(ledger_scripts.SPLIT)
        self._set_outcome = redis.register_script(ledger_scripts.SET_OUTCOME)

    def ping(self) -> None:
        """Return when Redis answers."""
        with redis_errors(_SERVICE):
            self._redis.ping()

    def await_replicas(self) -> None:
        """Return when as many replicas as were asked for have all that was recorded before this call.

        Raises Unavailable when they do not in time: what only a lost master has is lost with it.
        """
        if not self._wait_replicas:
            return
        with redis_errors(_SERVICE), self._redis.pipeline(transaction=False) as pipe:
            # Redis waits for what came over this connection; a write now comes after all of any other.
            pipe.set(_REPLICATED, _now(), ex=_REPLICATION_WAIT_S)
            pipe.wait(self._wait_replicas, _REPLICATION_WAIT_S * 1000)
            *_, reached = pipe.execute()
        if reached < self._wait_replicas:
            raise Unavailable(
                f"Redis ({_SERVICE})",
                f"{reached} of {self._wait_replicas} replicas (SIGHTLINE_REDIS_WAIT_REPLICAS) have what was "
                f"recorded after {_REPLICATION_WAIT_S} s. It may be done all the same; send the request "
                f"again, with an Idempotency-Key if it had one.",
            )

    def create(
        self,
        request: JobRequest,
        refs: Iterator[PictureRef] | Sequence[PictureRef] = (),
        idempotency: IdempotencyKey | None = None,
        origin: Origin = NO_ORIGIN,
        seen_at: datetime | None = None,
    ) -> Job:
        """Record a new job, queued. Ids sort by time of creation, which is Redis's.

        `refs` are the pictures of a RecordedSource. Under an idempotency key that made a job already,
        it is that job; raises IdempotencyKeyReused if the key came with another body then, and
        CollectionBeingDeleted while the collection is, or if it was since `seen_at` (from Drops.check).
        """
        with redis_errors(_SERVICE):
            seconds, microseconds = self._redis.time()
        now = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
        job_id = new_job_id(now)
        self._record_refs(job_id, iter(refs))
        args: list[_Value] = [job_id, now.timestamp(), self._retention_s, _IDEMPOTENCY_KEPT_S]
        args.append(idempotency.body if idempotency else "")
        args += [request.collection, (seen_at or now).timestamp()]
        for field, value in new_record(request, now, origin).items():
            args += [field, value]
        keys = [*job_keys(job_id), JOBS, DROPS, *([_key_of(idempotency.key)] if idempotency else ())]
        with redis_errors(_SERVICE):
            made = cast(str | int | None, self._create(keys=keys, args=args))
        if made is None:
            return self.job(job_id)
        with redis_errors(_SERVICE):
            self._redis.delete(job_key(job_id, "refs"))
        if idempotency is None or isinstance(made, int):
            raise CollectionBeingDeleted(request.collection)
        return self.job(_made_for(idempotency, made))

    def made_under(self, idempotency: IdempotencyKey) -> Job | None:
        """The job that a key made already; raises IdempotencyKeyReused as `create` does."""
        with redis_errors(_SERVICE):
            made = cast(str | None, self._redis.get(_key_of(idempotency.key)))
        return self.job(_made_for(idempotency, made)) if made else None

    def knows(self, idempotency_key: str) -> bool:
        """Whether a key made a job already, whatever was asked for with it."""
        with redis_errors(_SERVICE):
            return bool(self._redis.exists(_key_of(idempotency_key)))

    def refs(self, job_id: str, start: int, count: int) -> Sequence[PictureRef]:
        """Pictures of a job with a RecordedSource, by their place."""
        with redis_errors(_SERVICE):
            records = cast(list[str], self._redis.lrange(job_key(job_id, "refs"), start, start + count - 1))
        return [PictureRef.model_validate_json(record) for record in records]

    def job(self, job_id: str) -> Job:
        """One job; raises JobNotFound."""
        # Other text would name a part of some job: its reasons, its failures.
        if not is_job_id(job_id):
            raise JobNotFound(job_id)
        with redis_errors(_SERVICE), self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(job_key(job_id))
            pipe.hgetall(job_key(job_id, "reasons"))
            record, reasons = pipe.execute()
        if not record:
            raise JobNotFound(job_id)
        return read_job(job_id, record, reasons)

    def newest_first(self, before: str | int | None) -> Iterator[ListedJob]:
        """Jobs after the one named `before`, or those made before that time in microseconds since 1970.

        After one that has left the list there is none: those that were made before it have left too.
        """
        for made_at, job_id in self._newest_first(self._place_in_list(before)):
            try:
                job = self.job(job_id)
            except JobNotFound:
                job = None
            yield ListedJob(job_id, round(made_at * _MICROSECONDS), job)

    def active(self) -> Sequence[str]:
        """Ids of the jobs that have not ended, oldest first."""
        with redis_errors(_SERVICE):
            return sorted(cast(set[str], self._redis.smembers(ACTIVE)))

    def active_collections(self) -> Mapping[str, str]:
        """The collection of each job that has not ended, by the id of the job."""
        ids = self.active()
        with redis_errors(_SERVICE), self._redis.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.hget(job_key(job_id), "request")
            records = cast(list[str | None], pipe.execute())
        return {
            job_id: JobRequest.model_validate_json(record).collection
            for job_id, record in zip(ids, records, strict=True)
            if record
        }

    def active_count(self) -> int:
        """How many jobs have not ended."""
        with redis_errors(_SERVICE):
            return self._redis.scard(ACTIVE)

    def plan_state(self, job_id: str) -> PlanState:
        """Where listing the job's source stands; raises JobNotFound."""
        with redis_errors(_SERVICE), self._redis.pipeline(transaction=True) as pipe:
            pipe.hmget(job_key(job_id), PLAN_FIELDS)
            pipe.hlen(job_key(job_id, "batches"))
            values, in_flight = pipe.execute()
        state = read_plan_state(values, in_flight)
        if state is None:
            raise JobNotFound(job_id)
        return state

    def start_planning(self, job_id: str) -> PlanningStart | None:
        """Start on a job's planning, to be released where it ends well; None if nothing is to be planned."""
        with redis_errors(_SERVICE):
            found = cast(tuple[int, str | None] | None, self._start_planning(keys=job_keys(job_id)))
        if found is None:
            return None
        starts, defect = found
        return PlanningStart(starts=starts, defect=defect)

    def plan_batch(
        self, job_id: str, batch: Batch, cursor: str, *, done: BatchOutcome = NOTHING_DONE
    ) -> bool:
        """Record a batch before its message is sent; False if another planner was first.

        `done` is what became of pictures that were seen to as they were listed; the batch may be empty then.
        """
        args: list[_Value] = [batch.id, batch.model_dump_json(), len(batch.items), cursor, _now()]
        args += [done.unchanged, done.indexed, done.canceled, *_failure_args(done)]
        with redis_errors(_SERVICE):
            return bool(self._plan_batch(keys=job_keys(job_id), args=args))

    def end_listing(self, job_id: str, error: JobError | None = None) -> None:
        """Record that the source has no more items, or cannot be listed further."""
        with redis_errors(_SERVICE):
            self._end_listing(
                keys=job_keys(job_id),
                args=[_now(), self._retention_s, job_id, error.model_dump_json() if error else ""],
            )

    def stop(self, job_id: str, error: JobError | None = None) -> None:
        """Cancel what nobody has started on; what somebody has ends as it ends.

        With an error the job fails, for a reason that is no picture's. A job that has ended stays so.
        """
        with redis_errors(_SERVICE):
            self._stop(
                keys=job_keys(job_id),
                args=[_now(), self._retention_s, job_id, error.model_dump_json() if error else ""],
            )

    def claim(self, job_id: str, batch_id: str) -> Claim | None:
        """Start on a batch; None if it has an outcome, or gets one now because the job was stopped."""
        with redis_errors(_SERVICE):
            found = cast(
                tuple[str, int, str | None] | None,
                self._claim(keys=job_keys(job_id), args=[_now(), self._retention_s, job_id, batch_id]),
            )
        if found is None:
            return None
        record, starts, defect = found
        return Claim(batch=Batch.model_validate_json(record), starts=starts, defect=defect)

    def release(self, job_id: str, started: str) -> None:
        """Take back a start, of a batch or of PLANNING, that ended well or failed by no fault of it."""
        key = job_key(job_id, "starts")
        with redis_errors(_SERVICE):
            if self._redis.hincrby(key, started, -1) <= 0:
                self._redis.hdel(key, started)

    def note_defect(self, job_id: str, started: str, defect: str) -> None:
        """Remember what a start, of a batch or of PLANNING, ended with, for whoever looks into it."""
        with redis_errors(_SERVICE):
            self._note_defect(keys=job_keys(job_id), args=[started, defect])

    def split(self, job_id: str, batch: Batch) -> Sequence[Batch]:
        """Put two halves in the place of a batch; none of them if it has an outcome meanwhile."""
        halves = batch.halves()
        args: list[_Value] = [batch.id]
        for half in halves:
            args += [half.id, half.model_dump_json()]
        with redis_errors(_SERVICE):
            return halves if self._split(keys=job_keys(job_id), args=args) else ()

    def batch(self, job_id: str, batch_id: str) -> Batch | None:
        """A planned batch, or None once it has an outcome."""
        with redis_errors(_SERVICE):
            record = self._redis.hget(job_key(job_id, "batches"), batch_id)
        return Batch.model_validate_json(record) if record else None

    def pending_batches(self, job_id: str) -> Sequence[str]:
        """Ids of the batches that have no outcome yet."""
        with redis_errors(_SERVICE):
            return sorted(cast(list[str], self._redis.hkeys(job_key(job_id, "batches"))))

    def set_outcome(self, job_id: str, batch_id: str, outcome: BatchOutcome) -> bool:
        """Set what became of a batch; False, and nothing changes, if that was known already."""
        args: list[_Value] = [_now(), self._retention_s, job_id, batch_id]
        args += [outcome.indexed, outcome.unchanged, outcome.canceled, *_failure_args(outcome)]
        with redis_errors(_SERVICE):
            return bool(self._set_outcome(keys=job_keys(job_id), args=args))

    def failures(self, job_id: str, *, reason: FailureReason | None, after: int = -1) -> Iterator[Failure]:
        """Failures in the order of listing, lazily, those numbered above `after`."""
        key = job_key(job_id, "failures")
        while True:
            with redis_errors(_SERVICE):
                records = cast(
                    list[str],
                    self._redis.zrangebyscore(key, f"({after}", "+inf", start=0, num=_FAILURES_AT_ONCE),
                )
            failures = [Failure.model_validate_json(record) for record in records]
            yield from (one for one in failures if reason in (None, one.reason))
            if len(failures) < _FAILURES_AT_ONCE:
                return
            after = failures[-1].item.number

    def _record_refs(self, job_id: str, refs: Iterator[PictureRef]) -> None:
        key = job_key(job_id, "refs")
        while records := [ref.model_dump_json() for ref in islice(refs, _REFS_AT_ONCE)]:
            with redis_errors(_SERVICE), self._redis.pipeline(transaction=True) as pipe:
                pipe.rpush(key, *records)
                pipe.expire(key, _UNCREATED_KEPT_S)
                pipe.execute()

    def _place_in_list(self, before: str | int | None) -> tuple[float, str] | None:
        """The time and the id that all jobs are below which come then; None where no job does."""
        if before is None:
            return math.inf, ""
        if isinstance(before, int):
            return before / _MICROSECONDS, ""
        with redis_errors(_SERVICE):
            made_at = self._redis.zscore(JOBS, before) if is_job_id(before) else None
        return None if made_at is None else (made_at, before)

    def _newest_first(self, place: tuple[float, str] | None) -> Iterator[tuple[float, str]]:
        """Times and ids of the jobs below a place, not by rank: that of a job grows as others are made."""
        while place is not None:
            with redis_errors(_SERVICE):
                found = cast(
                    list[tuple[str, float]],
                    self._redis.zrevrangebyscore(
                        JOBS, place[0], "-inf", start=0, num=_JOBS_AT_ONCE, withscores=True
                    ),
                )
            below = [(made_at, job_id) for job_id, made_at in found if (made_at, job_id) < place]
            yield from below
            place = below[-1] if below else None


def _failure_args(outcome: BatchOutcome) -> Iterator[_Value]:
    for failure in outcome.failures:
        yield from (failure.item.number, failure.reason.value, failure.model_dump_json())


def _key_of(idempotency_key: str) -> str:
    return f"sightline:idempotency:{idempotency_key}"


def _made_for(idempotency: IdempotencyKey, made: str) -> str:
    """The id in what is recorded under a key; raises IdempotencyKeyReused if it was made for another body."""
    body, job_id = made.split(" ")
    if body != idempotency.body:
        raise IdempotencyKeyReused
    return job_id


def _now() -> str:
    return datetime.now(UTC).isoformat()
