"""Who plans a job: one planner at a time, by a lease in Redis.

The ledger refuses what a second planner records, but only after it has opened the source anew: an archive is
downloaded again, and a file of an export written over.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread

from redis import Redis
from redis.exceptions import LockError, RedisError
from redis.lock import Lock

from sightline.queue.connection import redis_errors

_SERVICE = "the leases of planners"
_ASKED_KEPT_S = 24 * 3600
"""Longer than anybody holds a lease."""


class PlanningLeases:
    """The leases in Redis. Safe to use from several threads; raises Unavailable when it does not answer.

    A holder that dies holds others up for `lease_s`. That should be less than the time after which its
    message is delivered again, or nobody would be asked to plan when the lease has run out.
    """

    def __init__(self, redis: Redis, lease_s: float) -> None:
        self._redis = redis
        self._lease_s = lease_s

    @contextmanager
    def held(self, job_id: str) -> Iterator[bool]:
        """Hold the lease of a job, renewed until the context ends; False where somebody else has it.

        That one is told: see `was_asked_for`.
        """
        token = secrets.token_hex(8)
        # The token is for the thread that renews it too.
        lock = self._redis.lock(_key(job_id), self._lease_s, thread_local=False)
        if not self._acquired(job_id, lock, token):
            yield False
            return
        ended = Event()
        renewal = Thread(target=self._renew, args=(lock, token, ended), name="planning-lease", daemon=True)
        renewal.start()
        try:
            yield True
        finally:
            ended.set()
            renewal.join()
            with suppress(RedisError, OSError):  # It runs out by itself.
                lock.release()

    def was_asked_for(self, job_id: str) -> bool:
        """Whether somebody was refused the lease since this was last asked; ask after letting go of it."""
        with redis_errors(_SERVICE):
            return self._redis.getdel(_asked_key(job_id)) is not None

    def break_all(self, job_ids: Sequence[str]) -> None:
        """Take the leases of jobs from holders that are known to be dead."""
        if job_ids:
            with redis_errors(_SERVICE):
                self._redis.delete(*(_key(job_id) for job_id in job_ids))

    def _acquired(self, job_id: str, lock: Lock, token: str) -> bool:
        with redis_errors(_SERVICE):
            if lock.acquire(blocking=False, token=token):
                return True
            self._redis.set(_asked_key(job_id), "1", ex=_ASKED_KEPT_S)
            # The holder may have let go and looked just before it could see that.
            return bool(lock.acquire(blocking=False, token=token))

    def _renew(self, lock: Lock, token: str, ended: Event) -> None:
        while not ended.wait(self._lease_s / 3):
            with suppress(RedisError, OSError):
                try:
                    lock.reacquire()
                except LockError:
                    # It ran out while Redis was away. If others have it now, the ledger keeps us apart.
                    lock.acquire(blocking=False, token=token)


def any_planned(redis: Redis, job_ids: Sequence[str]) -> bool:
    """Whether somebody plans one of these jobs at this moment, or died while planning; raises Unavailable."""
    with redis_errors(_SERVICE):
        return bool(job_ids) and redis.exists(*(_key(job_id) for job_id in job_ids)) > 0


def _key(job_id: str) -> str:
    return f"sightline:planning:{job_id}"


def _asked_key(job_id: str) -> str:
    return f"sightline:planning:{job_id}:asked"
