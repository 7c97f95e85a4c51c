"""Redis by way of sentinels, and over TLS: records, messages and limits go on with another master."""

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError
from sentinel_crew import Crew, running_crew, until
from tls_front import tls_in_front_of, write_certificate

from sightline.backup.records import dump_records, require_no_records, restore_records
from sightline.errors import BackupError, Unavailable
from sightline.queue.broker import create_broker, send
from sightline.queue.connection import connect_impatiently, connect_redis
from sightline.queue.jobs import JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.messages import PlanJob, Queue
from sightline.queue.sources import RecordedSource
from sightline.queue.transport import SentinelTransport

REQUEST = JobRequest(collection="images", source=RecordedSource(kind="urls"))


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    with running_crew(tmp_path_factory.mktemp("crew")) as running:
        yield running


@pytest.fixture
def settled(crew: Crew) -> Crew:
    for store in crew.stores:
        if not store.alive():
            store.start()
    until(crew.settled, "the crew is whole again")
    return crew


def test_messages_and_records_go_to_the_new_master(settled: Crew) -> None:
    # Given clients and a broker with connections to the first master
    redis = connect_redis(settled.url)
    ledger = Ledger(redis, timedelta(days=1), wait_replicas=1)
    broker = create_broker(settled.url, visibility_timeout_s=60)
    with broker.connection_for_read() as connection:
        assert isinstance(connection.transport, SentinelTransport)
    first = ledger.create(REQUEST)
    send(broker, PlanJob(job_id=first.id))
    until(lambda: _works(ledger.await_replicas), "the replica has the record and the message")

    started = time.monotonic()
    settled.fail_over()
    sys.stderr.write(f"\nanother master after {time.monotonic() - started:.1f} s\n")

    # Then all that replicas had is there, and the same clients go on
    until(lambda: _works(lambda: ledger.job(first.id)), "the record is there")
    assert redis.llen(Queue.PLAN.value) == 1
    until(lambda: _works(lambda: send(broker, PlanJob(job_id=first.id))), "the queue takes messages")
    # More than two where one was taken, but too slowly for its sender.
    assert redis.llen(Queue.PLAN.value) >= 2
    second = ledger.create(REQUEST)
    assert set(ledger.active()) == {first.id, second.id}


def test_a_backup_takes_the_records_of_the_master(settled: Crew, tmp_path: Path) -> None:
    ledger = Ledger(connect_redis(settled.url), timedelta(days=1))
    job = ledger.create(REQUEST)
    assert dump_records(settled.url, tmp_path / "records") >= 2
    with pytest.raises(BackupError, match="records of Sightline already"):
        require_no_records(settled.url)

    connect_redis(settled.url).flushdb()
    restore_records(settled.url, tmp_path / "records")
    assert ledger.job(job.id) == job


def test_a_job_that_no_replica_has_is_not_accepted(settled: Crew) -> None:
    ledger = Ledger(connect_redis(settled.url), timedelta(days=1), wait_replicas=1)
    ledger.create(REQUEST)
    until(lambda: _works(ledger.await_replicas), "the replica has the record")

    settled.replica().kill()
    ledger.create(REQUEST)
    with pytest.raises(Unavailable, match="0 of 1 replicas"):
        ledger.await_replicas()


def test_no_master_is_an_outage_like_any_other(settled: Crew) -> None:
    ledger = Ledger(connect_impatiently(settled.url, 1.0), timedelta(days=1))
    ledger.ping()
    for store in settled.stores:
        store.kill()

    with pytest.raises(Unavailable, match="job ledger"):
        ledger.ping()


def _works(call: Any) -> bool:
    try:
        call()
    except Unavailable:
        return False
    return True


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost with its key, in one file."""
    return write_certificate(tmp_path_factory.mktemp("tls") / "localhost.pem")


@pytest.fixture
def tls_url(redis_url: str, certificate: Path) -> Iterator[str]:
    """A Redis behind TLS, as managed ones are."""
    socket_path = redis_url.removeprefix("unix://").partition("?")[0]
    with tls_in_front_of(socket_path, certificate) as port:
        yield f"rediss://localhost:{port}/0"


def test_tls_is_spoken_to_by_all(redis: Any, tls_url: str, certificate: Path) -> None:
    url = f"{tls_url}?ssl_ca_certs={certificate}"
    broker = create_broker(url, visibility_timeout_s=60)
    send(broker, PlanJob(job_id="one"))
    assert connect_redis(url).llen(Queue.PLAN.value) == 1
    with broker.connection_for_read() as connection:
        assert connection.default_channel.basic_get(Queue.PLAN.value) is not None


def test_a_certificate_that_nobody_vouches_for_is_refused(redis: Any, tls_url: str) -> None:
    with pytest.raises(RedisError, match=r"(?i)certificate"):
        connect_redis(tls_url).ping()
    with pytest.raises(Unavailable, match=r"(?i)certificate"):
        send(create_broker(tls_url, visibility_timeout_s=60), PlanJob(job_id="one"))
    assert redis.llen(Queue.PLAN.value) == 0
