"""What waits in the queue, read whatever lies in it."""

import json
import time

import pytest
from redis import Redis

from sightline.queue.messages import Queue
from sightline.queue.watch import SENT_AT, QueueWatch

NOT_OURS = ["no JSON", "[]", "{}", '{"headers": null}', json.dumps({"headers": {SENT_AT: "noon"}})]


@pytest.mark.parametrize("envelope", NOT_OURS)
def test_a_message_that_is_not_ours_is_counted_and_has_no_age(redis: Redis, envelope: str) -> None:
    redis.lpush(Queue.PLAN, envelope)

    waiting = QueueWatch(redis).read().queues[Queue.PLAN]

    assert (waiting.messages, waiting.oldest_s) == (1, 0.0)


def test_a_message_says_how_long_it_has_waited(redis: Redis) -> None:
    redis.lpush(Queue.PLAN, json.dumps({"headers": {SENT_AT: time.time() - 60}}))

    assert QueueWatch(redis).read().queues[Queue.PLAN].oldest_s >= 60
