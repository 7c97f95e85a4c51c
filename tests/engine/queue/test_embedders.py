"""Signs of life over a real Redis."""

from datetime import UTC, datetime, timedelta

from redis import Redis

from sightline.queue.embedders import Embedders, SignOfLife
from sightline.queue.messages import Queue


def sign(name: str, ahead: timedelta = timedelta(0)) -> SignOfLife:
    now = datetime.now(UTC) + ahead
    return SignOfLife(id=name, host="here", since=now, at=now, batches=3, last_progress=None)


def test_who_has_announced_itself_is_there_until_it_leaves(redis: Redis) -> None:
    embedders = Embedders(redis)
    assert embedders.crew().embedders == []
    first, second = sign("a"), sign("b")
    embedders.announce(first)
    embedders.announce(second)
    assert [one.sign for one in embedders.crew().embedders] == [first, second]
    embedders.leave("a")
    assert [one.sign.id for one in embedders.crew().embedders] == ["b"]


def test_who_falls_silent_is_forgotten(redis: Redis) -> None:
    embedders = Embedders(redis)
    embedders.announce(sign("a"))
    (key,) = redis.keys("sightline:embedder:*")
    assert 0 < redis.ttl(key) <= 20
    redis.delete(key)  # as its time does
    assert embedders.crew().embedders == []
    assert redis.smembers("sightline:embedders") == set()


def test_a_clock_that_is_off_is_told_from_a_sign_that_is_old(redis: Redis) -> None:
    embedders = Embedders(redis)
    embedders.announce(sign("right"))
    embedders.announce(sign("wrong", timedelta(seconds=-100)))
    (key,) = redis.keys("sightline:embedder:right")
    redis.pexpire(key, 5_000)  # It was announced 15 s ago, and says so.
    ahead = {one.sign.id: one.clock_ahead_s for one in embedders.crew().embedders}
    assert -101 < ahead["wrong"] < -99
    assert 14 < ahead["right"] < 16


def test_waiting_messages_are_counted(redis: Redis) -> None:
    for queue in Queue:
        redis.lpush(queue.value, "one", "two")
    assert Embedders(redis).crew().waiting == 4
