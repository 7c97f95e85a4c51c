"""The migration resource: a migration as the API shows it."""

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field

from sightline.errors import CollectionNotFound, FailureReason, JobNotFound
from sightline.queue.jobs import Job
from sightline.queue.migration_records import Migration, MigrationState
from sightline.settings import Precision, Quantization
from sightline_api.gateway import Gateway
from sightline_api.jobs.resource import JobResource
from sightline_api.migrating.report import from_thumbnails

_ACTIONS = ("switch", "rollback", "finish", "abort", "pause", "resume", "report")


class MigrationProgress(BaseModel):
    """How far the new version is. What comes in meanwhile counts in both.

    `from_thumbnails` had no original any more; `lost` could not be encoded at all, by reason.
    """

    points_old: int
    points_new: int
    from_thumbnails: int
    lost: dict[FailureReason, int]


class MigrationResource(BaseModel):
    """A migration. Searches are answered from the old version until it is switched to, and then by the new.

    `model` is a folder of SIGHTLINE_MODELS_DIR; `precision` and `quantization` are null where they follow the
    settings. `progress` is null when it is over, and `job` when that is forgotten.
    """

    id: str
    collection: str
    state: MigrationState
    detail: str | None
    model: str
    old_space: str
    space: Annotated[str, Field(description="of the new version's vectors")]
    dimension: int
    precision: Precision | None
    quantization: Quantization | None
    progress: MigrationProgress | None
    job: JobResource | None
    created_at: datetime
    ready_at: datetime | None
    switched_at: datetime | None
    ended_at: datetime | None
    links: dict[str, str]

    @classmethod
    def of(cls, gateway: Gateway, migration: Migration) -> Self:
        """The resource of a migration; raises Unavailable."""
        here = f"/v1/migrations/{migration.id}"
        job = _job(gateway, migration)
        return cls(
            **migration.model_dump(exclude={"old", "new", "job", "old_precision"}),
            progress=None if migration.state.final else _progress(gateway, migration),
            job=None if job is None else JobResource.of(job),
            links={"self": here} | {action: f"{here}/{action}" for action in _ACTIONS},
        )


def _job(gateway: Gateway, migration: Migration) -> Job | None:
    if migration.job is not None:
        with suppress(JobNotFound):
            return gateway.ledger.job(migration.job)
    return None


def _progress(gateway: Gateway, migration: Migration) -> MigrationProgress:
    old = new = thumbnails = 0
    with suppress(CollectionNotFound):  # Not made yet, or on its way out.
        old = gateway.index.count(migration.old)
        new = gateway.index.count(migration.new)
        thumbnails = from_thumbnails(gateway, migration)
    return MigrationProgress(
        points_old=old,
        points_new=new,
        from_thumbnails=thumbnails,
        lost=gateway.migrations.lost.by_reason(migration.id),
    )
