"""Redis as the queue's records use it: bounded waits, and one name for its absence."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from sightline.errors import Unavailable
from sightline.queue.addresses import Sentinels, parse_redis_url

_SENTINEL_TIMEOUT_S = 1.0
"""A sentinel that does not answer sooner is passed over."""


def connect_redis(redis_url: str) -> Redis:
    """A client with bounded waits; connects on first use. Raises SettingsError for what is no address."""
    return _client(
        redis_url,
        decode_responses=True,
        socket_timeout=5.0,
        socket_connect_timeout=2.0,
        health_check_interval=15,
    )


def connect_for_bytes(redis_url: str, timeout_s: float) -> Redis:
    """A client whose values are bytes, for what Redis itself has packed; raises as `connect_redis`."""
    return _client(redis_url, decode_responses=False, socket_timeout=timeout_s, socket_connect_timeout=2.0)


def connect_impatiently(redis_url: str, patience_s: float, retries: int = 0) -> Redis:
    """A client that gives up after `patience_s`, for those who would rather know soon than get an answer.

    `retries` are for connections that have died while nobody used them.
    """
    return _client(
        redis_url,
        decode_responses=True,
        socket_timeout=patience_s,
        socket_connect_timeout=patience_s,
        retry=Retry(NoBackoff(), retries),
    )


def sentinel_options(sentinels: Sentinels) -> dict[str, Any]:
    """How to speak to the sentinels themselves."""
    options: dict[str, Any] = {
        "username": sentinels.sentinel_username,
        "password": sentinels.sentinel_password,
        "socket_timeout": _SENTINEL_TIMEOUT_S,
        "socket_connect_timeout": _SENTINEL_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
    }
    return options | ({"ssl": True, **sentinels.tls_options} if sentinels.tls else {})


def _client(redis_url: str, **options: Any) -> Redis:
    address = parse_redis_url(redis_url)
    if not isinstance(address, Sentinels):
        return Redis.from_url(address.url, **options)
    if address.tls:
        options |= {"ssl": True, **address.tls_options}
    # redis-py annotates neither.
    sentinel = Sentinel(address.hosts, sentinel_kwargs=sentinel_options(address))  # type: ignore[no-untyped-call]
    master: Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
        address.service,
        db=address.db,
        username=address.username,
        password=address.password,
        **options,
    )
    return master


@contextmanager
def redis_errors(service: str) -> Iterator[None]:
    """Turn what redis-py raises into Unavailable."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis ({service})", str(error)) from error
