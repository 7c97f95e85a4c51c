"""A batch slower than the visibility timeout: done once while its embedder lives, and not lost with it."""

import subprocess
import sys

import pytest
from redis import Redis

from sightline.queue.broker import create_broker, send
from sightline.queue.messages import PlanJob, Queue

TIMEOUT_S = 2

WORKER = """
import sys, time
from celery.signals import setup_logging
from sightline.queue.broker import create_broker
from sightline.queue.connection import connect_redis
from sightline.queue.messages import PlanJob, Queue
from sightline_embedder.leases import keep_leases

url, leased, work_s, timeout_s = sys.argv[1], sys.argv[2] == "leased", float(sys.argv[3]), int(sys.argv[4])
broker, redis = create_broker(url, timeout_s), connect_redis(url)

@broker.task(name=PlanJob.task)
def plan_job(job_id):
    redis.rpush("started", job_id)
    time.sleep(work_s)
    redis.rpush("ended", job_id)

if leased:
    keep_leases(broker, timeout_s)
setup_logging.connect(lambda **_: None, weak=False)
broker.Worker(
    pool="threads", concurrency=2, queues=[queue.value for queue in Queue],
    without_heartbeat=True, without_gossip=True, without_mingle=True, quiet=True,
).start()
"""


def worker(redis_url: str, leased: bool, work_s: float) -> "subprocess.Popen[bytes]":
    kind = "leased" if leased else "unleased"
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", WORKER, redis_url, kind, str(work_s), str(TIMEOUT_S)],
        stderr=subprocess.DEVNULL,
    )


def taken(redis: Redis, key: str) -> str:
    """The next entry of a list, once there is one."""
    for _ in range(10):
        if entry := redis.blpop([key], timeout=3):
            return str(entry[1])
    raise AssertionError(f"nothing {key}")


@pytest.mark.parametrize(("leased", "runs"), [(True, 1), (False, 2)])
def test_a_slow_task_is_delivered_again_only_without_a_lease(
    redis: Redis, redis_url: str, leased: bool, runs: int
) -> None:
    send(create_broker(redis_url, TIMEOUT_S), PlanJob(job_id="slow"))
    with worker(redis_url, leased, work_s=3.5 * TIMEOUT_S) as process:
        try:
            assert taken(redis, "ended") == "slow"
            assert redis.llen("started") >= runs
            assert leased == (redis.llen("started") == 1)
        finally:
            process.kill()


def test_the_task_of_a_killed_worker_goes_to_another(redis: Redis, redis_url: str) -> None:
    send(create_broker(redis_url, TIMEOUT_S), PlanJob(job_id="orphan"))
    with worker(redis_url, leased=True, work_s=3600) as first:
        assert taken(redis, "started") == "orphan"
        first.kill()
    with worker(redis_url, leased=True, work_s=0) as second:
        try:
            assert taken(redis, "ended") == "orphan"
            assert redis.llen(Queue.PLAN.value) == 0
        finally:
            second.kill()
