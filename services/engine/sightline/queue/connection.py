"""Redis as the queue's records use it: bounded waits, and one name for its absence."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import RedisError

from sightline.errors import Unavailable


def connect_redis(redis_url: str) -> Redis:
    """A client with bounded waits; connects on first use."""
    return Redis.from_url(
        redis_url,
        decode_responses=True,
        socket_timeout=5.0,
        socket_connect_timeout=2.0,
        health_check_interval=15,
    )


@contextmanager
def redis_errors(service: str) -> Iterator[None]:
    """Turn what redis-py raises into Unavailable."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis ({service})", str(error)) from error
