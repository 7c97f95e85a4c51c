"""What the ledger owes and the queue has lost is sent again, and nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest
from celery import Celery
from example_migration import example_migration
from qdrant_client import QdrantClient
from redis import Redis
from structlog.testing import capture_logs

from sightline.errors import Unavailable
from sightline.index import CollectionSpec, VectorIndex
from sightline.index.edge.client import EdgeClient
from sightline.index.server.engine import QdrantServer
from sightline.index.server.index import ServerIndex
from sightline.payload import indexed_fields
from sightline.portable.places import PortablePlaces
from sightline.queue.broker import UNACKNOWLEDGED, send
from sightline.queue.connection import connect_redis
from sightline.queue.jobs import Batch, JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.messages import IndexBatch, PlanJob, Queue
from sightline.queue.migration_records import MigrationState
from sightline.queue.migrations import Migrations
from sightline.queue.origin import Origin
from sightline.queue.sources import Item, RecordedSource, SourceKind
from sightline_embedder import reconciling
from sightline_embedder.reconciling import Reconciler
from sightline_embedder.recovery import live_messages, rebuild_queue

IN_FLIGHT = 4
NO_INDEX = EdgeClient(Path("no-index"))
"""Only what migrations leave behind is asked of it."""


@pytest.fixture(autouse=True)
def settle_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "SETTLE_S", 0.01)


@pytest.fixture
def reconciler(redis: Redis, broker: Celery, ledger: Ledger, tmp_path: Path) -> Reconciler:
    places = PortablePlaces(tmp_path)
    return Reconciler(redis, broker, ledger, NO_INDEX, places, batches_in_flight=IN_FLIGHT, every_s=60)


def new_job(ledger: Ledger, batches: int, *, listed: bool) -> str:
    """A job whose batches are in the ledger and not in the queue."""
    job_id = ledger.create(JobRequest(collection="images", source=RecordedSource(kind="upload"))).id
    for number in range(batches):
        item = Item(number=number, kind=SourceKind.UPLOAD, uri=f"upload:{number}", sha256="0" * 64)
        assert ledger.plan_batch(job_id, Batch(id=str(number), items=(item,)), str(number))
    if listed:
        ledger.end_listing(job_id)
    return job_id


def test_lost_batches_are_sent_again_once(redis: Redis, ledger: Ledger, reconciler: Reconciler) -> None:
    job_id = new_job(ledger, batches=2, listed=True)

    assert reconciler.sweep(Event()) == 2
    assert live_messages(redis) == {IndexBatch(job_id=job_id, batch_id=str(number)) for number in range(2)}
    assert reconciler.sweep(Event()) == 0


def test_what_is_sent_again_belongs_to_its_request(
    redis: Redis, ledger: Ledger, broker: Celery, reconciler: Reconciler
) -> None:
    origin = Origin(request_id="r", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    request = JobRequest(collection="images", source=RecordedSource(kind="upload"))
    job_id = ledger.create(request, origin=origin).id

    assert reconciler.sweep(Event()) == 1
    assert live_messages(redis) == {PlanJob(job_id=job_id, origin=origin)}
    assert reconciler.sweep(Event()) == 0
    rebuild_queue(redis, broker, ledger, IN_FLIGHT)
    assert live_messages(redis) == {PlanJob(job_id=job_id, origin=origin)}


def test_a_message_that_an_embedder_has_is_not_lost(
    redis: Redis, ledger: Ledger, broker: Celery, reconciler: Reconciler
) -> None:
    job_id = new_job(ledger, batches=1, listed=True)
    send(broker, IndexBatch(job_id=job_id, batch_id="0"))
    with broker.connection_for_read() as connection:
        taken = connection.SimpleQueue(Queue.INGEST.value).get(timeout=5)
        assert redis.llen(Queue.INGEST.value) == 0

        assert reconciler.sweep(Event()) == 0
        taken.ack()
    assert reconciler.sweep(Event()) == 1


@pytest.mark.parametrize(("in_flight", "planned"), [(0, True), (2, True), (3, False)])
def test_planning_goes_on_where_there_is_room(
    redis: Redis, ledger: Ledger, broker: Celery, reconciler: Reconciler, in_flight: int, planned: bool
) -> None:
    job_id = new_job(ledger, batches=in_flight, listed=False)
    for number in range(in_flight):
        send(broker, IndexBatch(job_id=job_id, batch_id=str(number)))

    assert reconciler.sweep(Event()) == int(planned)
    assert (PlanJob(job_id=job_id) in live_messages(redis)) == planned


def test_a_record_that_is_gone_holds_up_no_other(
    redis: Redis, ledger: Ledger, reconciler: Reconciler
) -> None:
    gone, kept = (new_job(ledger, batches=1, listed=True) for _ in range(2))
    redis.delete(f"sightline:job:{gone}")

    assert reconciler.sweep(Event()) == 1
    assert live_messages(redis) == {IndexBatch(job_id=kept, batch_id="0")}


FOREIGN = [
    b"no JSON",
    b"[]",
    b"{}",
    b'{"body": "AAAA", "headers": {"task": "sightline.plan_job"}}',
    b'{"body": "W1tdLHt9LHt9XQ==", "headers": {"task": "somebody.elses"}}',
    b'{"body": "W1tdLHt9LHt9XQ==", "headers": {"task": "sightline.plan_job"}}',
]


@pytest.mark.parametrize("record", FOREIGN)
def test_messages_of_others_keep_nothing_from_being_sent_again(
    redis: Redis, ledger: Ledger, reconciler: Reconciler, record: bytes
) -> None:
    job_id = new_job(ledger, batches=1, listed=True)
    redis.lpush(Queue.INGEST.value, record)
    redis.hset(UNACKNOWLEDGED, "tag", record)

    assert reconciler.sweep(Event()) == 1
    assert live_messages(redis) == {IndexBatch(job_id=job_id, batch_id="0")}


class Failing:
    """An index that raises what nobody thought of, and says how often it was asked."""

    def __init__(self, enough: Event) -> None:
        self._enough, self._asked = enough, 0

    def __getattr__(self, name: str) -> Any:
        self._asked += 1
        if self._asked == 2:
            self._enough.set()
        raise ZeroDivisionError("a defect")


def test_a_defect_ends_one_sweep_and_not_the_next(
    redis: Redis, broker: Celery, ledger: Ledger, tmp_path: Path
) -> None:
    migrations = Migrations(redis)
    migrations.start(example_migration())
    (migration,) = migrations.active()
    migrations.move(migration.id, MigrationState.ABORTING)
    asked, stopping = Event(), Event()
    index = cast(VectorIndex, Failing(asked))
    places = PortablePlaces(tmp_path)
    reconciler = Reconciler(redis, broker, ledger, index, places, batches_in_flight=IN_FLIGHT, every_s=0.01)
    reconciler.start(stopping)

    assert asked.wait(30)
    stopping.set()


def test_nothing_is_sent_while_stopping(redis: Redis, ledger: Ledger, reconciler: Reconciler) -> None:
    new_job(ledger, batches=1, listed=True)
    stopping = Event()
    stopping.set()

    assert reconciler.sweep(stopping) == 0
    assert live_messages(redis) == set()


def test_a_queue_that_does_not_answer() -> None:
    with pytest.raises(Unavailable, match="the queue"):
        live_messages(connect_redis("redis://127.0.0.1:1/0"))


def test_a_rebuilt_queue_holds_what_is_owed(redis: Redis, ledger: Ledger, broker: Celery) -> None:
    job_id = new_job(ledger, batches=1, listed=False)
    send(broker, IndexBatch(job_id="ended", batch_id="7"))

    rebuild_queue(redis, broker, ledger, IN_FLIGHT)

    assert live_messages(redis) == {IndexBatch(job_id=job_id, batch_id="0"), PlanJob(job_id=job_id)}


@pytest.fixture
def reconciler_of_index(
    redis: Redis, broker: Celery, ledger: Ledger, tmp_path: Path
) -> tuple[Reconciler, ServerIndex]:
    """One beside an index with a collection `images`."""
    index = ServerIndex(QdrantServer(QdrantClient(":memory:")))
    index.ensure_collection(CollectionSpec("images", "space-a", 4, indexed_fields({})))
    places = PortablePlaces(tmp_path)
    made = Reconciler(redis, broker, ledger, index, places, batches_in_flight=IN_FLIGHT, every_s=60)
    return made, index


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")
@pytest.mark.parametrize("state", [MigrationState.BUILDING, MigrationState.FAILED], ids=str)
def test_a_migration_whose_gateway_ended_before_it_had_a_job_is_aborted(
    redis: Redis, reconciler_of_index: tuple[Reconciler, ServerIndex], state: MigrationState
) -> None:
    """Every batch of its collection would wait for a version that nobody makes."""
    reconciler, index = reconciler_of_index
    migrations = Migrations(redis)
    version = index.collection("images").version
    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    left = migrations.start(example_migration(old=version, state=state, created_at=long_ago))

    with capture_logs() as logged:
        reconciler.end_migrations()

    ended = migrations.get(left.id)
    assert (ended.state, migrations.of("images")) == (MigrationState.ABORTED, None)
    assert "the gateway ended" in (ended.detail or "").lower()
    assert index.collection("images").version == version
    [warning] = [one for one in logged if one["log_level"] == "warning"]
    assert (warning["event"], warning["migration"]) == ("migration_without_job_aborted", left.id)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"created_at": datetime.now(UTC) - timedelta(minutes=2), "job": "0" * 32},
        {"created_at": datetime.now(UTC) - timedelta(minutes=2), "state": MigrationState.PAUSED},
    ],
    ids=["just-begun", "with-a-job", "paused"],
)
def test_a_migration_that_may_go_on_is_left_alone(
    redis: Redis, reconciler: Reconciler, changes: dict[str, Any]
) -> None:
    migrations = Migrations(redis)
    begun = migrations.start(example_migration(**changes))

    reconciler.end_migrations()

    assert migrations.get(begun.id) == begun


def test_a_migration_that_somebody_starts_at_this_moment_is_left_alone(
    redis: Redis, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = Migrations(redis)
    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    begun = migrations.start(example_migration(created_at=long_ago))
    seen = migrations.active()
    noted = migrations.set_job(begun.id, "0" * 32)
    monkeypatch.setattr(Migrations, "active", lambda _: seen)

    reconciler.end_migrations()

    assert migrations.get(begun.id) == noted
