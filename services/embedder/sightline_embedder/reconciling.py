"""The reconciler: messages that the ledger owes and that are nowhere are sent again.

A message is lost when Redis or a sender dies between the ledger's record and the message, or when
Redis comes back without its last second. Sending one too many does no harm: a batch that has its
outcome is not run again.
"""

from threading import Event, Thread

import structlog
from celery import Celery
from redis import Redis

from sightline.ending_migrations import (
    LEFT_WITHOUT_JOB,
    abort_without_job,
    end_migration,
    was_left_without_job,
)
from sightline.errors import MigrationRefused, Unavailable
from sightline.index import VectorIndex
from sightline.portable.discarding import discard_stale
from sightline.portable.places import PortablePlaces
from sightline.queue.broker import send
from sightline.queue.ledger import Ledger
from sightline.queue.messages import Message
from sightline.queue.migration_records import Migration, MigrationState
from sightline.queue.migrations import Migrations
from sightline_embedder.recovery import live_messages, owed_messages

_log = structlog.get_logger(__name__)

SETTLE_S = 1.0
"""A message on its way from one place to another is in neither; after this it has arrived."""


class Reconciler:
    """Compares the ledger with the queue from time to time, in a thread of its own."""

    def __init__(
        self,
        redis: Redis,
        broker: Celery,
        ledger: Ledger,
        index: VectorIndex,
        places: PortablePlaces,
        *,
        batches_in_flight: int,
        every_s: float,
    ) -> None:
        self._redis = redis
        self._broker = broker
        self._ledger = ledger
        self._index = index
        self._places = places
        self._migrations = Migrations(redis)
        self._batches_in_flight = batches_in_flight
        self._every_s = every_s

    def start(self, stopping: Event) -> None:
        """Sweep every `every_s` seconds until `stopping` is set."""
        Thread(target=self._run, args=(stopping,), name="reconciler", daemon=True).start()

    def sweep(self, stopping: Event) -> int:
        """Send what is owed and was not to be found twice; how many. Raises Unavailable."""
        lost = self._missing()
        if not lost or stopping.wait(SETTLE_S):
            return 0
        lost &= self._missing()
        for message in lost:
            send(self._broker, message)
        if lost:
            _log.warning("messages_sent_again", messages=len(lost))
        return len(lost)

    def _run(self, stopping: Event) -> None:
        while not stopping.wait(self._every_s):
            try:
                self.sweep(stopping)
                self.end_migrations()
                discard_stale(self._places, self._ledger)
            except Unavailable as error:
                _log.warning("sweep_put_off", reason=str(error))
            except Exception:
                # Without this thread a lost message stays lost, and nothing else would say so.
                _log.exception("sweep_failed")

    def end_migrations(self) -> None:
        """End the migrations that somebody began to end, or to start, and did not live to.

        Raises Unavailable.
        """
        for migration in self._migrations.active():
            try:
                if self._is_on_its_way_out(migration):
                    end_migration(self._migrations, self._ledger, self._index, migration.id)
            except MigrationRefused as error:
                _log.info("migration_ends_elsewhere", detail=str(error))

    def _is_on_its_way_out(self, migration: Migration) -> bool:
        """Whether a migration is to be ended; one that was left before it had a job is from now on."""
        if not was_left_without_job(migration):
            return migration.state in (MigrationState.ABORTING, MigrationState.FINISHING)
        # Else every batch of the collection would wait for a version that may never be there.
        aborted = abort_without_job(self._migrations, migration.id)
        if aborted:
            _log.warning(
                "migration_without_job_aborted",
                migration=migration.id,
                collection=migration.collection,
                detail=LEFT_WITHOUT_JOB,
            )
        return aborted

    def _missing(self) -> set[Message]:
        return set(owed_messages(self._ledger, self._batches_in_flight)) - live_messages(self._redis)
