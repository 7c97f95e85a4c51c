"""Migrations as Redis records them: which version of a collection takes whose place, and how far it is.

Every change of state looks at the state it starts from, at that moment, so that of two callers who want
different things one is told that it is too late.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import cast

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import LockError

from sightline.errors import MigrationNotFound, MigrationRefused
from sightline.queue.connection import redis_errors
from sightline.queue.lost_points import LostPoints
from sightline.queue.migration_records import Migration, MigrationState, check_may_follow, refused, times

_SERVICE = "the record of migrations"
_MIGRATIONS = "sightline:migrations"
_ACTIVE = "sightline:migrations:active"
_ACTIVE_RECORD = """
local id = redis.call('HGET', KEYS[2], ARGV[1])
return id and redis.call('HGET', KEYS[1], id)
"""
_TAKES_A_JOB = (MigrationState.BUILDING, MigrationState.PAUSED)
_TURN_S = 60.0
"""Longer than a switch takes; who dies meanwhile holds others up for so long."""


class Migrations:
    """The migrations in Redis. Every call raises Unavailable when it does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._active_record = redis.register_script(_ACTIVE_RECORD)
        self.lost = LostPoints(redis)

    def start(self, migration: Migration) -> Migration:
        """Record a new migration; raises MigrationRefused while there is another of the collection."""

        def keep(pipe: Pipeline) -> Migration:
            held = cast(str | None, pipe.hget(_ACTIVE, migration.collection))
            if held is not None:
                raise MigrationRefused(
                    "migration_under_way",
                    f"Migration {held} of collection '{migration.collection}' is under way. Finish or abort "
                    f"it first.",
                )
            pipe.multi()
            pipe.hset(_MIGRATIONS, migration.id, migration.model_dump_json())
            pipe.hset(_ACTIVE, migration.collection, migration.id)
            return migration

        return self._transaction(keep)

    def get(self, migration_id: str) -> Migration:
        """One migration; raises MigrationNotFound."""
        with redis_errors(_SERVICE):
            record = cast(str | None, self._redis.hget(_MIGRATIONS, migration_id))
        if record is None:
            raise MigrationNotFound(migration_id)
        return Migration.model_validate_json(record)

    def all(self) -> Sequence[Migration]:
        """All that there ever were, newest first."""
        with redis_errors(_SERVICE):
            records = cast(list[str], self._redis.hvals(_MIGRATIONS))
        found = [Migration.model_validate_json(record) for record in records]
        return sorted(found, key=lambda one: one.created_at, reverse=True)

    def active(self) -> Sequence[Migration]:
        """Those that are not over."""
        with redis_errors(_SERVICE):
            ids = cast(list[str], self._redis.hvals(_ACTIVE))
            records = cast(list[str | None], self._redis.hmget(_MIGRATIONS, ids) if ids else [])
        return [Migration.model_validate_json(record) for record in records if record]

    def of(self, collection: str) -> Migration | None:
        """The migration of a collection that is not over, if there is one."""
        with redis_errors(_SERVICE):
            record = cast(str | None, self._active_record(keys=[_MIGRATIONS, _ACTIVE], args=[collection]))
        return Migration.model_validate_json(record) if record else None

    def move(
        self, migration_id: str, to: MigrationState, *, detail: str | None = None, job: str | None = None
    ) -> Migration:
        """Change the state; raises MigrationNotFound, and MigrationRefused where it cannot follow that held.

        With `job`, a change that is only right for that job: another has taken its place meanwhile.
        """

        def change(pipe: Pipeline) -> Migration:
            held = _held(pipe, migration_id)
            check_may_follow(held, to)
            if job not in (None, held.job):
                raise refused(held, to)
            moved = held.model_copy(update={"state": to, "detail": detail, **times(held, to)})
            pipe.multi()
            pipe.hset(_MIGRATIONS, migration_id, moved.model_dump_json())
            if to.final:
                pipe.hdel(_ACTIVE, held.collection)
                self.lost.forget(pipe, migration_id)
            return moved

        return self._transaction(change)

    def begin_anew(self, seen: Migration, job_id: str) -> Migration:
        """Have another job fill the new version, and try again what could not be encoded.

        State and job change together: whoever looks meanwhile sees no migration that builds with the job that
        ended. Raises MigrationNotFound, and MigrationRefused where it cannot follow or the job is another
        than it was `seen` with.
        """

        def change(pipe: Pipeline) -> Migration:
            held = _held(pipe, seen.id)
            check_may_follow(held, MigrationState.BUILDING)
            if held.job != seen.job:
                raise refused(held, MigrationState.BUILDING)
            building = {"state": MigrationState.BUILDING, "job": job_id, "detail": None}
            begun = held.model_copy(update=building)
            pipe.multi()
            pipe.hset(_MIGRATIONS, seen.id, begun.model_dump_json())
            self.lost.forget(pipe, seen.id)
            return begun

        return self._transaction(change)

    def fail(self, seen: Migration, detail: str) -> Migration:
        """Note why one has failed, unless it has changed since it was `seen`; the migration as it is now."""

        def change(pipe: Pipeline) -> Migration:
            held = _held(pipe, seen.id)
            pipe.multi()
            if held != seen:
                return held
            failed = held.model_copy(update={"state": MigrationState.FAILED, "detail": detail})
            pipe.hset(_MIGRATIONS, seen.id, failed.model_dump_json())
            return failed

        return self._transaction(change)

    def end_with_collection(self, migration_id: str) -> None:
        """Note that both versions are gone: it was aborted, whatever state it was in."""

        def change(pipe: Pipeline) -> Migration:
            held = Migration.model_validate_json(cast(str, pipe.hget(_MIGRATIONS, migration_id)))
            now = datetime.now(UTC)
            ended = held.model_copy(
                update={
                    "state": MigrationState.ABORTED,
                    "ended_at": now,
                    "detail": "Its collection was deleted.",
                }
            )
            pipe.multi()
            pipe.hset(_MIGRATIONS, migration_id, ended.model_dump_json())
            pipe.hdel(_ACTIVE, held.collection)
            self.lost.forget(pipe, migration_id)
            return ended

        self._transaction(change)

    def set_job(self, migration_id: str, job_id: str) -> Migration:
        """Note the job that fills the new version.

        Raises MigrationNotFound, and MigrationRefused for one that is not being built any more.
        """

        def change(pipe: Pipeline) -> Migration:
            held = _held(pipe, migration_id)
            if held.state not in _TAKES_A_JOB:
                state = held.state.replace("_", " ")
                detail = (
                    f"Migration {migration_id} is {state}: it takes a job while it is building or paused."
                )
                raise MigrationRefused("migration_state", detail)
            noted = held.model_copy(update={"job": job_id})
            pipe.multi()
            pipe.hset(_MIGRATIONS, migration_id, noted.model_dump_json())
            return noted

        return self._transaction(change)

    @contextmanager
    def turn(self, migration_id: str) -> Iterator[None]:
        """Alone with changes of both the record and the index; raises MigrationRefused if others are long."""
        lock = self._redis.lock(f"sightline:migration:{migration_id}:turn", _TURN_S, blocking_timeout=5)
        with redis_errors(_SERVICE):
            taken = lock.acquire()
        if not taken:
            raise MigrationRefused(
                "migration_busy", f"Migration {migration_id} is being changed by somebody else. Try again."
            )
        try:
            yield
        finally:
            # It may have taken longer than a turn may, and others have gone on.
            with redis_errors(_SERVICE), suppress(LockError):
                lock.release()

    def _transaction(self, change: Callable[[Pipeline], Migration]) -> Migration:
        with redis_errors(_SERVICE):
            # Annotated for callables whose values are not asked for.
            return cast(
                Migration,
                self._redis.transaction(change, _MIGRATIONS, _ACTIVE, value_from_callable=True),  # type: ignore[arg-type]
            )


def _held(pipe: Pipeline, migration_id: str) -> Migration:
    record = cast(str | None, pipe.hget(_MIGRATIONS, migration_id))
    if record is None:
        raise MigrationNotFound(migration_id)
    return Migration.model_validate_json(record)
