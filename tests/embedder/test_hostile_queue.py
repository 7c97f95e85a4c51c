"""Whoever can write to Redis can send messages and orders: none of them makes an embedder run anything."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from kombu import Exchange
from kombu import Queue as Route
from pydantic import ValidationError
from redis import Redis

from sightline.queue.broker import create_broker, send
from sightline.queue.jobs import JobRequest
from sightline.queue.messages import PlanJob, Queue
from sightline.queue.sources import FolderSource

WORKER = """
import sys
from celery.signals import setup_logging
from sightline.queue.broker import create_broker
from sightline.queue.connection import connect_redis
from sightline.queue.messages import PlanJob, Queue

broker, redis = create_broker(sys.argv[1], 60), connect_redis(sys.argv[1])

@broker.task(name=PlanJob.task)
def plan_job(job_id):
    redis.rpush("planned", job_id)

setup_logging.connect(lambda **_: None, weak=False)
broker.Worker(
    pool="threads", concurrency=2, queues=[queue.value for queue in Queue],
    without_heartbeat=True, without_gossip=True, without_mingle=True, quiet=True,
).start()
"""


class Malice:
    """What unpickling it would do."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._file),)


@pytest.fixture
def worker(redis_url: str) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-W", "ignore", "-c", WORKER, redis_url]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def planned(redis: Redis) -> str:
    """The job that was planned next, once one is."""
    entry = redis.blpop(["planned"], timeout=4)
    for _ in range(10):
        if entry is not None:
            return str(entry[1])
        entry = redis.blpop(["planned"], timeout=4)
    raise AssertionError("no job was planned")


def test_a_pickle_is_thrown_away_unread(
    worker: "subprocess.Popen[bytes]", broker: Celery, redis: Redis, tmp_path: Path
) -> None:
    trace = tmp_path / "unpickled"
    name = Queue.PLAN.value
    with broker.connection_for_write() as connection, connection.Producer(serializer="pickle") as producer:
        headers = {"task": PlanJob.task, "id": "1", "lang": "py", "argsrepr": "", "kwargsrepr": ""}
        body = ((), {"job_id": Malice(trace)}, {})
        route = Route(name, Exchange(name), routing_key=name)
        producer.publish(body, exchange=route.exchange, routing_key=name, declare=[route], headers=headers)
    send(broker, PlanJob(job_id="sound"))

    assert planned(redis) == "sound"
    assert not trace.exists()
    assert redis.llen(name) == 0
    assert worker.poll() is None


def test_nobody_orders_an_embedder_to_end(
    worker: "subprocess.Popen[bytes]", broker: Celery, redis: Redis
) -> None:
    send(broker, PlanJob(job_id="before"))
    assert planned(redis) == "before"

    broker.control.broadcast("shutdown")

    assert broker.control.ping(timeout=1.0) == []
    send(broker, PlanJob(job_id="after"))
    assert planned(redis) == "after"
    assert worker.poll() is None


@pytest.mark.parametrize("name", ["../../etc", "/tmp/x", "a/b", ".", "", "images\n", "A", "x" * 64])
def test_a_record_of_a_job_names_a_collection_that_leads_nowhere_else(name: str) -> None:
    with pytest.raises(ValidationError):
        JobRequest(collection=name, source=FolderSource(path="/photos"))


def test_messages_are_json_for_whoever_makes_the_broker(redis_url: str) -> None:
    assert create_broker(redis_url, 60).conf.accept_content == ["json"]
