"""Migrations: collections get another model, precision or quantization while they serve."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Self

import anyio.to_thread
from fastapi import APIRouter, Body, Path, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sightline.queue.migration_records import Migration, MigrationState
from sightline.settings import CollectionName, Precision, Quantization
from sightline_api.gateway import GatewayDep
from sightline_api.http.access import ADMIN, CallerDep
from sightline_api.http.audit import audit
from sightline_api.http.bounded_routes import BoundedRoute
from sightline_api.http.callers import Caller
from sightline_api.http.example_values import IMAGE_ID, MIGRATION_ID, NAMED_COLLECTION
from sightline_api.migrating.changing import end, roll_back, switch
from sightline_api.migrating.report import MAX_JUDGED, Judged, MigrationReport, report_of
from sightline_api.migrating.resource import MigrationResource
from sightline_api.migrating.starting import as_it_stands, resume_migration, start_migration

router = APIRouter(
    prefix="/v1/migrations", tags=["migrations"], route_class=BoundedRoute, dependencies=[ADMIN]
)

MigrationId = Annotated[str, Path(description="the id of a migration", examples=[MIGRATION_ID])]


class MigrationRequest(BaseModel):
    """What a collection is to be made with from now on. What is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"collection": NAMED_COLLECTION, "quantization": "int8"}]},
    )

    collection: CollectionName | None = None
    model: Annotated[
        str | None, Field(max_length=200, description="the name of a folder in SIGHTLINE_MODELS_DIR")
    ] = None
    precision: Precision | None = None
    quantization: Quantization | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.model is None and self.precision is None and self.quantization is None:
            raise ValueError("name what is to be another: model, precision or quantization")
        return self


class ReportRequest(BaseModel):
    """Queries of which one knows what they should find, to compare the versions by."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{}, {"judged": [{"query": "a cup of coffee", "relevant": [IMAGE_ID]}]}]
        },
    )

    judged: Annotated[list[Judged], Field(max_length=MAX_JUDGED)] = []


class MigrationList(BaseModel):
    """All migrations, the newest first."""

    items: list[MigrationResource]
    next_cursor: None = None


@router.post("", status_code=HTTPStatus.ACCEPTED)
def start(
    gateway: GatewayDep, caller: CallerDep, body: MigrationRequest, response: Response
) -> MigrationResource:
    """Build a version of a collection beside the one that serves; nothing that searches find changes."""
    collection = body.collection or gateway.settings.collection
    started = _audited(caller, "migration_started")
    migration = start_migration(gateway, collection, body.model, body.precision, body.quantization, started)
    response.headers["Location"] = f"/v1/migrations/{migration.id}"
    return MigrationResource.of(gateway, migration)


@router.get("")
def list_migrations(gateway: GatewayDep) -> MigrationList:
    """All migrations, those that are over too, the newest first."""
    found = [as_it_stands(gateway, one) for one in gateway.migrations.all()]
    return MigrationList(items=[MigrationResource.of(gateway, one) for one in found])


@router.get("/{migration_id}")
def get_migration(gateway: GatewayDep, migration_id: MigrationId) -> MigrationResource:
    """One migration, and how far it is."""
    migration = as_it_stands(gateway, gateway.migrations.get(migration_id))
    return MigrationResource.of(gateway, migration)


@router.post("/{migration_id}/report")
def report(
    gateway: GatewayDep,
    migration_id: MigrationId,
    body: Annotated[ReportRequest, Body(default_factory=ReportRequest)],
) -> MigrationReport:
    """What a switch would change: how much both versions hold, and how differently they answer."""
    return report_of(gateway, gateway.migrations.get(migration_id), body.judged)


@router.post("/{migration_id}/switch")
def switch_to(gateway: GatewayDep, caller: CallerDep, migration_id: MigrationId) -> MigrationResource:
    """Have the new version serve, everywhere within seconds. Both go on being written to."""
    switched = switch(gateway, migration_id, _audited(caller, "migration_switched"))
    return MigrationResource.of(gateway, switched)


@router.post("/{migration_id}/rollback")
def rollback(gateway: GatewayDep, caller: CallerDep, migration_id: MigrationId) -> MigrationResource:
    """Have the old version serve again; nothing that came in meanwhile is lost."""
    rolled_back = roll_back(gateway, migration_id, _audited(caller, "migration_rolled_back"))
    return MigrationResource.of(gateway, rolled_back)


@router.post("/{migration_id}/pause")
def pause(gateway: GatewayDep, caller: CallerDep, migration_id: MigrationId) -> MigrationResource:
    """Plan nothing more; batches that are under way end."""
    paused = gateway.migrations.move(migration_id, MigrationState.PAUSED)
    _audited(caller, "migration_paused")(paused)
    return MigrationResource.of(gateway, paused)


@router.post("/{migration_id}/resume")
def resume(gateway: GatewayDep, caller: CallerDep, migration_id: MigrationId) -> MigrationResource:
    """Go on with a migration that was paused or has failed."""
    as_it_stands(gateway, gateway.migrations.get(migration_id))
    resumed = resume_migration(gateway, migration_id, _audited(caller, "migration_resumed"))
    return MigrationResource.of(gateway, resumed)


@router.post("/{migration_id}/abort")
async def abort(gateway: GatewayDep, caller: CallerDep, migration_id: MigrationId) -> MigrationResource:
    """Give a migration up and delete its version; one that was switched to has to be rolled back before."""
    audited = _audited(caller, "migration_aborted")
    ended = await end(gateway, migration_id, MigrationState.ABORTING, audited)
    return await anyio.to_thread.run_sync(MigrationResource.of, gateway, ended)


@router.post("/{migration_id}/finish")
async def finish(gateway: GatewayDep, caller: CallerDep, migration_id: MigrationId) -> MigrationResource:
    """Delete the old version; there is no way back to it afterwards."""
    audited = _audited(caller, "migration_finished")
    ended = await end(gateway, migration_id, MigrationState.FINISHING, audited)
    return await anyio.to_thread.run_sync(MigrationResource.of, gateway, ended)


def _audited(caller: Caller, action: str) -> Callable[[Migration], None]:
    """What logs the action of a caller, to be called once it has taken effect."""

    def log(migration: Migration) -> None:
        audit(caller, action, migration_id=migration.id, collection=migration.collection)

    return log
