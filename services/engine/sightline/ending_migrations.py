"""The end of a migration: the version that nobody needs any more goes, once nothing is written to it."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sightline.errors import CollectionNotFound, JobNotFound
from sightline.index import VectorIndex
from sightline.queue.ledger import Ledger
from sightline.queue.migration_records import Migration, MigrationState
from sightline.queue.migrations import Migrations

LEFT_WITHOUT_JOB = "The gateway ended while it started this migration. Start it again."
_STARTING = timedelta(minutes=1)
"""A migration without a job for longer than this was left by a crash."""
_WITHOUT_JOB = (MigrationState.BUILDING, MigrationState.FAILED)


def was_left_without_job(migration: Migration) -> bool:
    """Whether whoever started a migration ended before its job was noted, and with it maybe its version."""
    is_old = datetime.now(UTC) - migration.created_at > _STARTING
    return migration.job is None and migration.state in _WITHOUT_JOB and is_old


def abort_without_job(migrations: Migrations, migration_id: str) -> bool:
    """Begin to abort a migration that was left without a job; False where it has one by now, or is elsewhere.

    Raises MigrationNotFound, MigrationRefused where others are long, and Unavailable.
    """
    # Whoever starts or resumes it has its turn until the job is noted.
    with migrations.turn(migration_id):
        if not was_left_without_job(migrations.get(migration_id)):
            return False
        migrations.move(migration_id, MigrationState.ABORTING, detail=LEFT_WITHOUT_JOB)
    return True


def end_migration(migrations: Migrations, ledger: Ledger, index: VectorIndex, migration_id: str) -> bool:
    """End a migration that is finishing or aborting; False while a batch of it is in hand: ask again.

    Whoever finds it half done may go on, and of several who end it all find it ended. The version that the
    collection stands for is never dropped: where the other is not there, as after a restore of a backup, the
    migration ends without. Raises MigrationNotFound, MigrationRefused where others are long, and Unavailable.
    """
    with migrations.turn(migration_id):
        migration = migrations.get(migration_id)
        if migration.state not in _ENDS:
            return migration.state.final
        if not _job_has_ended(ledger, migration):
            return False
        kept = _drop_other(index, migration)
        migrations.move(migration_id, _ENDS[migration.state], detail=kept or migration.detail)
    return True


_ENDS = {
    MigrationState.FINISHING: MigrationState.FINISHED,
    MigrationState.ABORTING: MigrationState.ABORTED,
}


def _job_has_ended(ledger: Ledger, migration: Migration) -> bool:
    if migration.job is None:
        return True
    ledger.stop(migration.job)
    try:
        return ledger.job(migration.job).state.final
    except JobNotFound:  # Its record has expired.
        return True


def _drop_other(index: VectorIndex, migration: Migration) -> str | None:
    """Drop the version that is not live; why not, where it has to serve."""
    doomed = migration.old if migration.live == migration.new else migration.new
    with suppress(CollectionNotFound):  # Deleted with all that was in it, or restored without it.
        index.switch(migration.collection, migration.live)
    with suppress(CollectionNotFound):
        if index.collection(migration.collection, counted=False).version == doomed:
            return (
                f"Nothing was deleted: collection '{migration.collection}' stands for {doomed}, and there "
                f"is no {migration.live}."
            )
    with suppress(CollectionNotFound):
        index.drop_collection(doomed)
    return None
