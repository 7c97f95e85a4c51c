"""What the gateway finds about embedders, queue and clocks, over a real Redis."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from sightline.queue.embedders import Embedders, SignOfLife
from sightline.queue.jobs import JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.messages import Queue
from sightline.queue.sources import RecordedSource
from sightline_api.readiness import crew_checks
from sightline_api.readiness.check import NotWell
from sightline_api.readiness.crew_checks import CLOCK_S, STALLED_S, CrewChecks

JOB = JobRequest(collection="images", source=RecordedSource(kind="upload"))


@pytest.fixture
def embedders(redis: Redis) -> Embedders:
    return Embedders(redis)


def announce(embedders: Embedders, *, idle_s: float, ahead_s: float = 0) -> None:
    now = datetime.now(UTC) + timedelta(seconds=ahead_s)
    last = now - timedelta(seconds=idle_s)
    sign = SignOfLife(id="a", host="there", since=last, at=now, batches=1, last_progress=last)
    embedders.announce(sign)


def test_nobody_is_missed_until_embedders_had_time_to_start(
    embedders: Embedders, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = CrewChecks(embedders, ledger)
    checks.someone_is_there()
    monkeypatch.setattr(crew_checks, "STARTING_S", 0.0)
    with pytest.raises(NotWell, match="No embedder is alive"):
        checks.someone_is_there()
    announce(embedders, idle_s=0)
    checks.someone_is_there()


def test_an_embedder_that_cannot_encode_is_named_with_its_fault(embedders: Embedders, ledger: Ledger) -> None:
    now = datetime.now(UTC)
    sign = SignOfLife(
        id="a", host="there", since=now, at=now, batches=1, last_progress=now, fault="It is broken."
    )
    embedders.announce(sign)
    with pytest.raises(NotWell, match="embedder on there takes nothing in: It is broken"):
        CrewChecks(embedders, ledger).queue_moves()


def test_messages_that_nobody_takes_are_named(embedders: Embedders, ledger: Ledger, redis: Redis) -> None:
    checks = CrewChecks(embedders, ledger)
    announce(embedders, idle_s=2 * STALLED_S)
    checks.queue_moves()  # nothing waits
    redis.lpush(Queue.INGEST.value, "a message", "another")
    with pytest.raises(NotWell, match="2 messages wait, and nothing went on for 10 minutes"):
        checks.queue_moves()
    announce(embedders, idle_s=1)
    checks.queue_moves()


def test_a_new_job_is_not_blamed_on_an_embedder_that_had_nothing_to_do(
    embedders: Embedders, ledger: Ledger, redis: Redis
) -> None:
    checks = CrewChecks(embedders, ledger)
    announce(embedders, idle_s=2 * STALLED_S)
    ledger.create(JOB)
    redis.lpush(Queue.PLAN.value, "a message")
    checks.queue_moves()


@pytest.mark.parametrize(("ahead_s", "said"), [(100, "100 s ahead of"), (-100, "100 s behind")])
def test_a_clock_that_is_off_is_named(
    embedders: Embedders, ledger: Ledger, ahead_s: float, said: str
) -> None:
    with pytest.raises(NotWell, match=f"this machine is {said} that of Redis"):
        CrewChecks(embedders, ledger, clock=lambda: time.time() + ahead_s).clocks_agree()
    checks = CrewChecks(embedders, ledger)
    checks.clocks_agree()
    announce(embedders, idle_s=0, ahead_s=ahead_s)
    with pytest.raises(NotWell, match=f"embedder on there is {said} that of Redis"):
        checks.clocks_agree()
    announce(embedders, idle_s=0, ahead_s=CLOCK_S / 2)
    checks.clocks_agree()
