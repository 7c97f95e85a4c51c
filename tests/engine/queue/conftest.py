"""A ledger on a Redis of its own."""

from datetime import timedelta

import pytest
from redis import Redis

from sightline.queue.ledger import Ledger, connect_redis


@pytest.fixture
def redis(redis_url: str) -> Redis:
    client = connect_redis(redis_url)
    client.flushall()
    return client


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    return Ledger(redis, timedelta(days=1))
