"""No job is recorded for a collection that is being deleted, whatever becomes of whoever deletes it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from ledger_jobs import REQUEST
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

from sightline.errors import CollectionBeingDeleted, Unavailable
from sightline.queue.connection import connect_redis
from sightline.queue.drops import DROPS, Drops
from sightline.queue.jobs import IdempotencyKey
from sightline.queue.ledger import Ledger
from sightline.queue.sources import PictureRef, SourceKind

NAME = REQUEST.collection
LONG_S = 30.0
SHORT_S = 1.5
WITHIN_S = 20.0


@pytest.fixture
def drops(redis: Redis) -> Drops:
    return Drops(redis, LONG_S)


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_taken(ledger: Ledger) -> bool:
    try:
        ledger.create(REQUEST)
    except CollectionBeingDeleted:
        return False
    return True


def test_a_job_is_recorded_before_and_after_and_for_others_meanwhile(ledger: Ledger, drops: Drops) -> None:
    before = ledger.create(REQUEST)
    with drops.held(NAME):
        with pytest.raises(CollectionBeingDeleted, match=f"'{NAME}' is being deleted"):
            drops.check(NAME)
        with pytest.raises(CollectionBeingDeleted):
            ledger.create(REQUEST)
        drops.check("others")
        other = ledger.create(REQUEST.model_copy(update={"collection": "others"}))
        assert ledger.active() == [before.id, other.id]
    after = ledger.create(REQUEST, seen_at=drops.check(NAME))
    assert ledger.active() == [before.id, other.id, after.id]


def test_whoever_saw_what_is_gone_by_now_records_no_job(ledger: Ledger, drops: Drops) -> None:
    seen_at = drops.check(NAME)
    with drops.held(NAME):
        pass
    with pytest.raises(CollectionBeingDeleted):
        ledger.create(REQUEST, seen_at=seen_at)
    assert ledger.active() == []


def test_what_is_refused_leaves_nothing(ledger: Ledger, drops: Drops, redis: Redis) -> None:
    ref = PictureRef(kind=SourceKind.URL, uri="https://example.org/a.jpg")
    key = IdempotencyKey(key="k", body="b")
    with drops.held(NAME), pytest.raises(CollectionBeingDeleted):
        ledger.create(REQUEST, [ref], key)
    assert redis.keys() == [DROPS]
    assert ledger.create(REQUEST, [ref], key).id == ledger.create(REQUEST, [ref], key).id


def test_a_key_that_made_a_job_gives_it_meanwhile_too(ledger: Ledger, drops: Drops) -> None:
    key = IdempotencyKey(key="k", body="b")
    made = ledger.create(REQUEST, idempotency=key)
    with drops.held(NAME):
        assert ledger.create(REQUEST, idempotency=key).id == made.id


def test_one_deletes_it_at_a_time(ledger: Ledger, drops: Drops) -> None:
    with drops.held(NAME):
        with pytest.raises(CollectionBeingDeleted), drops.held(NAME):
            pass
        assert not is_taken(ledger)
        with drops.held("others"):
            pass
    with drops.held(NAME):
        assert not is_taken(ledger)


def test_a_deletion_that_fails_keeps_no_job_away(ledger: Ledger, drops: Drops) -> None:
    with pytest.raises(Unavailable), drops.held(NAME):
        raise Unavailable("Qdrant", "no answer in time")
    assert is_taken(ledger)


def test_the_mark_is_renewed_for_as_long_as_it_is_held(ledger: Ledger, redis: Redis) -> None:
    with Drops(redis, SHORT_S).held(NAME):
        end = time.monotonic() + 3 * SHORT_S
        until(lambda: time.monotonic() > end)
        assert not is_taken(ledger)


class Away(Redis):
    """A Redis that, once it is away, answers no script."""

    is_away = False

    def execute_command(self, *arguments: object, **options: object) -> object:
        if arguments[0] == "EVALSHA" and self.is_away:
            raise NoConnection("away")
        return super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]


@pytest.fixture
def away(redis: Redis) -> Away:
    return Away(connection_pool=redis.connection_pool)


def test_the_mark_of_one_who_died_runs_out(ledger: Ledger, away: Away) -> None:
    with Drops(away, SHORT_S).held(NAME):
        assert not is_taken(ledger)
        away.is_away = True
        until(lambda: is_taken(ledger))


def test_one_whose_mark_ran_out_takes_nothing_from_the_next(ledger: Ledger, drops: Drops, away: Away) -> None:
    with Drops(away, SHORT_S).held(NAME):
        away.is_away = True
        until(lambda: is_taken(ledger))
        next_one = drops.held(NAME)
        next_one.__enter__()
        away.is_away = False
    assert not is_taken(ledger)
    next_one.__exit__(None, None, None)
    assert is_taken(ledger)


def test_a_mark_that_redis_lost_is_made_again(ledger: Ledger, redis: Redis) -> None:
    with Drops(redis, SHORT_S).held(NAME):
        redis.delete(DROPS)
        until(lambda: redis.zscore(DROPS, NAME) is not None)
        assert not is_taken(ledger)


def test_old_marks_are_forgotten(drops: Drops, redis: Redis) -> None:
    redis.zadd(DROPS, {"long-gone": time.time() - 7200, "just-gone": time.time()})
    with drops.held(NAME):
        marked: Any = redis.zrange(DROPS, 0, -1)
    assert marked == ["just-gone", NAME]


def test_without_redis_nothing_is_deleted() -> None:
    nowhere = Drops(connect_redis("redis://127.0.0.1:1/0"))
    with pytest.raises(Unavailable), nowhere.held(NAME):
        pass
    with pytest.raises(Unavailable):
        nowhere.check(NAME)
