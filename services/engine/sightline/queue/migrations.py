"""Migrations as Redis records them: which version of a collection takes whose place, and how far it is.

Every change of state looks at the state it starts from, at that moment, so that of two callers who want
different things one is told that it is too late.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain
from typing import cast

from pydantic import BaseModel, ConfigDict
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import LockError

from sightline.errors import FailureReason, MigrationNotFound, MigrationRefused
from sightline.queue.connection import redis_errors
from sightline.settings import Precision, Quantization

_SERVICE = "the record of migrations"
_MIGRATIONS = "sightline:migrations"
_ACTIVE = "sightline:migrations:active"
_ACTIVE_RECORD = """
local id = redis.call('HGET', KEYS[2], ARGV[1])
return id and redis.call('HGET', KEYS[1], id)
"""
_NOTE_LOST = """
-- ARGV: of each point its id, the record and the reason
for i = 1, #ARGV, 3 do
  if redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) == 1 then
    redis.call('HINCRBY', KEYS[2], ARGV[i + 2], 1)
  end
end
"""
_TURN_S = 60.0
"""Longer than a switch takes; who dies meanwhile holds others up for so long."""


class MigrationState(StrEnum):
    """The life of a migration; the last two are final."""

    BUILDING = "building"
    PAUSED = "paused"
    FAILED = "failed"
    READY = "ready"
    SWITCHED = "switched"
    ROLLED_BACK = "rolled_back"
    FINISHING = "finishing"
    ABORTING = "aborting"
    FINISHED = "finished"
    ABORTED = "aborted"

    @property
    def final(self) -> bool:
        """Whether it is over, and one of the versions gone."""
        return self in (MigrationState.FINISHED, MigrationState.ABORTED)


_FROM: Mapping[MigrationState, frozenset[MigrationState]] = {
    MigrationState.PAUSED: frozenset({MigrationState.BUILDING}),
    MigrationState.BUILDING: frozenset({MigrationState.PAUSED, MigrationState.FAILED}),
    MigrationState.FAILED: frozenset({MigrationState.BUILDING}),
    MigrationState.READY: frozenset({MigrationState.BUILDING, MigrationState.READY}),
    MigrationState.SWITCHED: frozenset(
        {MigrationState.READY, MigrationState.ROLLED_BACK, MigrationState.SWITCHED}
    ),
    MigrationState.ROLLED_BACK: frozenset({MigrationState.SWITCHED, MigrationState.ROLLED_BACK}),
    MigrationState.FINISHING: frozenset({MigrationState.SWITCHED, MigrationState.FINISHING}),
    MigrationState.FINISHED: frozenset({MigrationState.FINISHING}),
    MigrationState.ABORTING: frozenset(
        {
            MigrationState.BUILDING,
            MigrationState.PAUSED,
            MigrationState.FAILED,
            MigrationState.READY,
            MigrationState.ROLLED_BACK,
            MigrationState.ABORTING,
        }
    ),
    MigrationState.ABORTED: frozenset({MigrationState.ABORTING}),
}
"""The states that each state may follow. A step that a crash cut short may be taken again."""


class Migration(BaseModel):
    """A migration. `old` and `new` are versions of the collection; `model` is a folder of the models' folder.

    `space` and `dimension` are those of the new version's vectors; None of `precision` and `quantization`
    means as the settings say. `job` is the job that fills the new version.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    collection: str
    old: str
    new: str
    model: str
    old_space: str
    space: str
    dimension: int
    precision: Precision | None
    quantization: Quantization | None
    old_precision: Precision | None
    state: MigrationState
    job: str | None = None
    created_at: datetime
    ready_at: datetime | None = None
    switched_at: datetime | None = None
    ended_at: datetime | None = None
    detail: str | None = None
    """Why it failed, or ended so."""

    @property
    def live(self) -> str:
        """The version that the collection stands for."""
        return self.new if self.state in _SERVES_NEW else self.old

    @property
    def same_space(self) -> bool:
        """Whether vectors of both versions may be compared: the model stays, in another form at most."""
        return self.old_space == self.space

    @property
    def twin(self) -> str | None:
        """The version that is written to beside the live one; None when one of them is on its way out."""
        if self.state in _ON_ITS_WAY_OUT or self.state.final:
            return None
        return self.old if self.live == self.new else self.new


_SERVES_NEW = (MigrationState.SWITCHED, MigrationState.FINISHING, MigrationState.FINISHED)
_ON_ITS_WAY_OUT = (MigrationState.FINISHING, MigrationState.ABORTING)
_TAKES_A_JOB = (MigrationState.BUILDING, MigrationState.PAUSED)


class Lost(BaseModel):
    """Why a picture could not be encoded for the new version."""

    model_config = ConfigDict(frozen=True)

    reason: FailureReason
    detail: str


class Migrations:
    """The migrations in Redis. Every call raises Unavailable when it does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._active_record = redis.register_script(_ACTIVE_RECORD)
        self._note_lost = redis.register_script(_NOTE_LOST)

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
                raise _refused(held, to)
            moved = held.model_copy(update={"state": to, "detail": detail, **_times(held, to)})
            pipe.multi()
            pipe.hset(_MIGRATIONS, migration_id, moved.model_dump_json())
            if to.final:
                pipe.hdel(_ACTIVE, held.collection)
                pipe.delete(*_lost_keys(migration_id))
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
                raise _refused(held, MigrationState.BUILDING)
            building = {"state": MigrationState.BUILDING, "job": job_id, "detail": None}
            begun = held.model_copy(update=building)
            pipe.multi()
            pipe.hset(_MIGRATIONS, seen.id, begun.model_dump_json())
            pipe.delete(*_lost_keys(seen.id))
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
            pipe.delete(*_lost_keys(migration_id))
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

    def note_lost(self, migration_id: str, lost: Mapping[str, Lost]) -> None:
        """Note points that could not be encoded; of one that is noted already the first reason stays."""
        if lost:
            noted = [(point_id, one.model_dump_json(), one.reason.value) for point_id, one in lost.items()]
            with redis_errors(_SERVICE):
                self._note_lost(keys=_lost_keys(migration_id), args=list(chain.from_iterable(noted)))

    def lost(self, migration_id: str, point_ids: Sequence[str]) -> Mapping[str, Lost]:
        """Those of some points that could not be encoded, by id, and why."""
        if not point_ids:
            return {}
        records_key, _ = _lost_keys(migration_id)
        with redis_errors(_SERVICE):
            records = cast(list[str | None], self._redis.hmget(records_key, list(point_ids)))
        found = zip(point_ids, records, strict=True)
        return {point_id: Lost.model_validate_json(record) for point_id, record in found if record}

    def lost_by_reason(self, migration_id: str) -> dict[FailureReason, int]:
        """How many points could not be encoded, by reason."""
        _, counts_key = _lost_keys(migration_id)
        with redis_errors(_SERVICE):
            counts = cast(dict[str, str], self._redis.hgetall(counts_key))
        return {FailureReason(reason): int(count) for reason, count in counts.items()}

    def _transaction(self, change: Callable[[Pipeline], Migration]) -> Migration:
        with redis_errors(_SERVICE):
            # Annotated for callables whose values are not asked for.
            return cast(
                Migration,
                self._redis.transaction(change, _MIGRATIONS, _ACTIVE, value_from_callable=True),  # type: ignore[arg-type]
            )


def new_id() -> str:
    """An id for a migration, which names its version of the collection too."""
    return secrets.token_hex(6)


def check_may_follow(held: Migration, to: MigrationState) -> None:
    """Raise MigrationRefused where a state cannot follow the one that a migration is in."""
    if held.state not in _FROM[to]:
        raise _refused(held, to)


def _held(pipe: Pipeline, migration_id: str) -> Migration:
    record = cast(str | None, pipe.hget(_MIGRATIONS, migration_id))
    if record is None:
        raise MigrationNotFound(migration_id)
    return Migration.model_validate_json(record)


def _times(held: Migration, to: MigrationState) -> dict[str, datetime]:
    now = datetime.now(UTC)
    if to is MigrationState.READY:
        return {"ready_at": now}
    if to is MigrationState.SWITCHED and held.state is not MigrationState.SWITCHED:
        return {"switched_at": now}
    return {"ended_at": now} if to.final else {}


def _lost_keys(migration_id: str) -> tuple[str, str]:
    """Where the points are that could not be encoded, and how many they are by reason."""
    key = f"sightline:migration:{migration_id}:lost"
    return key, f"{key}:reasons"


_NEEDED = {
    MigrationState.PAUSED: "only one that is building can be paused",
    MigrationState.BUILDING: "only one that is paused or has failed can be resumed",
    MigrationState.SWITCHED: "only one that is ready, or was rolled back, can be switched to",
    MigrationState.ROLLED_BACK: "only one that was switched to can be rolled back",
    MigrationState.ABORTING: "one that was switched to is rolled back first",
    MigrationState.FINISHING: "only one that was switched to can be finished",
}


def _refused(held: Migration, to: MigrationState) -> MigrationRefused:
    needed = _NEEDED.get(to, "nobody waits for that any more")
    code = "migration_not_ready" if to is MigrationState.SWITCHED else "migration_state"
    return MigrationRefused(code, f"Migration {held.id} is {held.state.replace('_', ' ')}: {needed}.")
