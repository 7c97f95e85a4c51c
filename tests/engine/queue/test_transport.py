"""The transport of the broker where Redis has gone away."""

import pytest
from redis import Redis

from sightline.queue.broker import create_broker, send
from sightline.queue.messages import PlanJob, Queue
from sightline.queue.transport import RedisTransport


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "rediss://127.0.0.1:1/0", "unix:///redis.sock"])
def test_every_broker_uses_it(url: str) -> None:
    broker = create_broker(url, visibility_timeout_s=60)
    with broker.connection_for_read() as connection:
        assert isinstance(connection.transport, RedisTransport)


@pytest.mark.parametrize("lost", [True, False])
def test_a_channel_closes_after_its_connection(redis: Redis, redis_url: str, lost: bool) -> None:
    # Given a channel with a message that it has not acknowledged
    broker = create_broker(redis_url, visibility_timeout_s=60)
    send(broker, PlanJob(job_id="one"))
    connection = broker.connection_for_read()
    channel = connection.channel()
    assert channel.basic_get(Queue.PLAN.value) is not None
    if lost:
        connection.transport.client = None  # as kombu leaves it

    channel.close()

    assert (redis.hlen("unacked"), redis.llen(Queue.PLAN.value)) == ((1, 0) if lost else (0, 1))
