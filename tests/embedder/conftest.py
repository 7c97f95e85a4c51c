"""A real queue for the parts of the embedder that work on it."""

import pytest
from celery import Celery

from sightline.queue.broker import create_broker


@pytest.fixture
def broker(redis_url: str) -> Celery:
    return create_broker(redis_url, visibility_timeout_s=60)
