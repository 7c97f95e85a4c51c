"""A real queue for the parts of the embedder that work on it."""

from datetime import timedelta

import pytest
from celery import Celery
from redis import Redis

from sightline.queue.broker import create_broker
from sightline.queue.ledger import Ledger, connect_redis


@pytest.fixture
def redis(redis_url: str) -> Redis:
    client = connect_redis(redis_url)
    client.flushall()
    return client


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    return Ledger(redis, timedelta(days=1))


@pytest.fixture
def broker(redis_url: str) -> Celery:
    return create_broker(redis_url, visibility_timeout_s=60)
