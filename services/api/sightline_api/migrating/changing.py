"""Which version a collection stands for: switched, taken back, and the end of the other one.

Each step has `moved` called as soon as the migration is recorded in its new state, before anything else can
fail: what follows is done by whoever takes the step again, or by an embedder.
"""

from collections.abc import Callable

import anyio
import anyio.to_thread

from sightline.ending_migrations import end_migration
from sightline.queue.migration_records import Migration, MigrationState
from sightline_api.gateway import Gateway

END_WITHIN_S = 20.0
"""Batches that an embedder has in hand end as they end; an embedder sees to the rest."""
_POLL_S = 0.1


def switch(gateway: Gateway, migration_id: str, moved: Callable[[Migration], None]) -> Migration:
    """Have the collection stand for the new version; raises MigrationRefused unless that is ready."""
    migration = gateway.migrations.get(migration_id)
    # Better no switch than one after which this gateway could not answer.
    gateway.models.get(migration.space, migration.precision)
    return _serve(gateway, migration_id, MigrationState.SWITCHED, moved)


def roll_back(gateway: Gateway, migration_id: str, moved: Callable[[Migration], None]) -> Migration:
    """Have the collection stand for the old version again."""
    return _serve(gateway, migration_id, MigrationState.ROLLED_BACK, moved)


def _serve(
    gateway: Gateway, migration_id: str, state: MigrationState, moved: Callable[[Migration], None]
) -> Migration:
    with gateway.migrations.turn(migration_id):
        migration = gateway.migrations.move(migration_id, state)
        moved(migration)
        gateway.index.switch(migration.collection, migration.live)
        gateway.served.forget(migration.collection)
    return migration


async def end(
    gateway: Gateway, migration_id: str, state: MigrationState, moved: Callable[[Migration], None]
) -> Migration:
    """Abort or finish a migration; it is still aborting or finishing where a batch takes its time."""

    def begin() -> None:
        with gateway.migrations.turn(migration_id):
            moved(gateway.migrations.move(migration_id, state))

    await anyio.to_thread.run_sync(begin)
    with anyio.move_on_after(END_WITHIN_S):
        while not await anyio.to_thread.run_sync(
            end_migration, gateway.migrations, gateway.ledger, gateway.index, migration_id
        ):
            await anyio.sleep(_POLL_S)
    return await anyio.to_thread.run_sync(gateway.migrations.get, migration_id)
