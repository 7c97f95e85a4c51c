"""Collections are deleted with all that is kept of them, once nothing more comes in."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from http import HTTPStatus

import anyio
import anyio.to_thread

from sightline.errors import CollectionNotFound, JobNotFound
from sightline.index import VectorIndex
from sightline.queue.migration_records import Migration
from sightline.queue.planning import any_planned
from sightline.queue.sources import PointsSource
from sightline.queue.sync_state import forget_syncs
from sightline_api.gateway import Gateway
from sightline_api.http.problems import ApiError

END_WITHIN_S = 20.0
"""Batches and pages that an embedder has in hand end as they end; then the collection can go."""
_POLL_S = 0.1
_RETRY_AFTER_S = "10"


async def drop_collection(gateway: Gateway, name: str, *, force: bool, begun: Callable[[], None]) -> None:
    """Delete a collection: its points, uploads, thumbnails, groups of duplicates and states of syncs.

    Raises CollectionNotFound, CollectionBeingDeleted if somebody else does, MigrationRefused while somebody
    changes its migration, and ApiError (409) while jobs of it are under way; `force` cancels those first, and
    waits for what is being indexed at this moment. `begun` is called when nothing stands in the way any more,
    before anything is deleted.
    """
    migration = await anyio.to_thread.run_sync(partial(_migration, gateway, name, force=force))
    if migration is None:
        # With one there may be no collection any more: a deletion broke off.
        await anyio.to_thread.run_sync(gateway.index.collection, name)
    # Before the mark too: what is refused for jobs that are under way must keep no others away.
    await anyio.to_thread.run_sync(partial(_jobs_to_stop, gateway, name, force=force))
    async with _no_jobs_taken(gateway, name):
        active = await anyio.to_thread.run_sync(partial(_jobs_to_stop, gateway, name, force=force))
        for job_id in active:
            await anyio.to_thread.run_sync(gateway.ledger.stop, job_id)
        # Whoever plans an import inserts its points; what others plan comes in by batches alone.
        imports = await anyio.to_thread.run_sync(_imports, gateway, active)
        in_hand = bool(active)
        with anyio.move_on_after(END_WITHIN_S):
            while in_hand:
                await anyio.sleep(_POLL_S)
                in_hand = await anyio.to_thread.run_sync(_in_hand, gateway, name, imports)
        if in_hand:
            raise _in_use(
                f"{len(active)} job(s) of collection '{name}' were canceled, and an embedder still has "
                f"pictures of them in hand. Nothing was deleted; try again in a moment."
            )
        await anyio.to_thread.run_sync(partial(_drop, gateway, name, force=force, begun=begun))


@asynccontextmanager
async def _no_jobs_taken(gateway: Gateway, name: str) -> AsyncIterator[None]:
    """`Drops.held` beside the event loop; whoever is canceled lets go of it too."""
    held = gateway.drops.held(name)
    await anyio.to_thread.run_sync(held.__enter__)
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(held.__exit__, None, None, None)


def _jobs_to_stop(gateway: Gateway, name: str, *, force: bool) -> Sequence[str]:
    """The jobs of a collection that are under way; raises ApiError (409) for any, unless forced."""
    active = _active_jobs(gateway, name)
    if active and not force:
        raise _in_use(
            f"{len(active)} job(s) of collection '{name}' are under way. Add `?force=true` to cancel."
        )
    return active


def _active_jobs(gateway: Gateway, name: str) -> Sequence[str]:
    return [job_id for job_id, one in gateway.ledger.active_collections().items() if one == name]


def _imports(gateway: Gateway, jobs: Sequence[str]) -> Sequence[str]:
    """Those of these jobs that import points."""
    found = []
    for job_id in jobs:
        with suppress(JobNotFound):  # Its record has expired.
            if isinstance(gateway.ledger.job(job_id).request.source, PointsSource):
                found.append(job_id)
    return found


def _in_hand(gateway: Gateway, name: str, imports: Sequence[str]) -> bool:
    """Whether an embedder has a batch of the collection, or a page of one of these imports."""
    return bool(_active_jobs(gateway, name)) or any_planned(gateway.redis, imports)


def _migration(gateway: Gateway, name: str, *, force: bool) -> Migration | None:
    """The migration of a collection; raises ApiError (409) for one, unless it is to go too."""
    migration = gateway.migrations.of(name)
    if migration is not None and not force:
        raise _in_use(
            f"Migration {migration.id} of collection '{name}' is {migration.state}. Finish or abort it, or "
            f"add `?force=true` to delete both versions."
        )
    return migration


def _drop(gateway: Gateway, name: str, *, force: bool, begun: Callable[[], None]) -> None:
    # Once more: one may have begun meanwhile.
    migration = _migration(gateway, name, force=force)
    with gateway.migrations.turn(migration.id) if migration is not None else nullcontext():
        begun()
        # First what refers to the points: a failure in between leaves a collection that can be deleted again.
        forget_syncs(gateway.redis, name)
        gateway.duplicates.forget(name)
        gateway.deletions.forget(name)
        gateway.media.delete_collection(name)
        gateway.request_sample.forget(name)
        if migration is None:
            gateway.index.drop_collection(name)
        else:
            _drop_versions(gateway.index, migration)
            gateway.migrations.end_with_collection(migration.id)
    gateway.served.forget(name)


def _drop_versions(index: VectorIndex, migration: Migration) -> None:
    """Drop both versions and the name, those of them that are there."""
    for name in (migration.collection, migration.old, migration.new):
        with suppress(CollectionNotFound):
            index.drop_collection(name)


def _in_use(detail: str) -> ApiError:
    return ApiError(HTTPStatus.CONFLICT, "collection_in_use", detail, {"Retry-After": _RETRY_AFTER_S})
