"""Starting a migration: a version beside the live one, and a job that fills it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus

from sightline.encoder.artifact import Artifact
from sightline.ending_migrations import end_migration
from sightline.errors import JobNotFound, MigrationRefused, ModelError, SightlineError
from sightline.index import CollectionInfo, CollectionSpec
from sightline.index.versions import version_of
from sightline.payload import indexed_fields
from sightline.queue.broker import send
from sightline.queue.jobs import Job, JobRequest
from sightline.queue.messages import PlanJob
from sightline.queue.migration_records import Migration, MigrationState, check_may_follow, new_id
from sightline.queue.sources import MigrationSource
from sightline.settings import Precision, Quantization
from sightline_api.gateway import Gateway
from sightline_api.http.problems import ApiError
from sightline_api.ingest.starting import record_job, send_job

_STARTING = timedelta(seconds=30)
"""A migration without a job for longer than this was left by a crash."""


def start_migration(
    gateway: Gateway,
    collection: str,
    model: str | None,
    precision: Precision | None,
    quantization: Quantization | None,
    recorded: Callable[[Migration], None],
) -> Migration:
    """Record a migration and start its job; what is left out stays as it is.

    `recorded` is called once it is recorded, also where it cannot begin then and is over.
    Raises CollectionNotFound and CollectionBeingDeleted, MigrationRefused where there is nothing to do or
    another one is under way, and ApiError (422) for a model that is not here or cannot be run so.
    """
    gateway.drops.check(collection)
    info = gateway.index.collection(collection)
    artifact = _artifact(gateway, info, model)
    same_model = artifact.manifest.space == info.space
    chosen = precision or (info.precision if same_model else None)
    _check_precision(artifact, chosen)
    _check_new(info, artifact, chosen, quantization)
    migration_id = new_id()
    new = Migration(
        id=migration_id,
        collection=collection,
        old=info.version,
        new=version_of(collection, migration_id),
        model=artifact.path.name,
        old_space=info.space,
        old_precision=info.precision,
        space=artifact.manifest.space,
        dimension=artifact.manifest.dimension,
        precision=chosen,
        quantization=quantization or info.quantization,
        state=MigrationState.BUILDING,
        created_at=datetime.now(UTC),
    )
    return _begun(gateway, new, recorded)


def _begun(gateway: Gateway, new: Migration, recorded: Callable[[Migration], None]) -> Migration:
    """The migration with a job that has been sent; one that cannot begin is over."""
    try:
        # Before it is recorded: somebody who aborts it meanwhile would leave a version that is made here.
        with gateway.migrations.turn(new.id):
            recorded(gateway.migrations.start(new))
            return _with_new_job(gateway, new, partial(gateway.migrations.set_job, new.id))
    except (SightlineError, ApiError):
        # Else every batch of the collection would wait for a version that may never be there.
        with suppress(SightlineError):
            gateway.migrations.move(new.id, MigrationState.ABORTING)
            end_migration(gateway.migrations, gateway.ledger, gateway.index, new.id)
        raise


def resume_migration(gateway: Gateway, migration_id: str, moved: Callable[[Migration], None]) -> Migration:
    """Go on with one that was paused, or begin anew with what is missing where its job failed.

    `moved` is called once it is recorded as building, before its job is sent, which may fail.
    """
    # Somebody who aborts it meanwhile would drop a version that is made again here.
    with gateway.migrations.turn(migration_id):
        migration = gateway.migrations.get(migration_id)
        job = _job_under_way(gateway, migration)
        if job is not None:
            migration = gateway.migrations.move(migration_id, MigrationState.BUILDING, job=job.id)
            moved(migration)
            send(gateway.broker, PlanJob(job_id=job.id, origin=job.origin))
            return migration
        check_may_follow(migration, MigrationState.BUILDING)

        def begin_anew(job_id: str) -> Migration:
            begun = gateway.migrations.begin_anew(migration, job_id)
            moved(begun)
            return begun

        return _with_new_job(gateway, migration, begin_anew)


def _job_under_way(gateway: Gateway, migration: Migration) -> Job | None:
    if migration.job is None:
        return None
    try:
        job = gateway.ledger.job(migration.job)
    except JobNotFound:
        return None
    return None if job.state.final else job


def as_it_stands(gateway: Gateway, migration: Migration) -> Migration:
    """A migration, failed by now if its job ended without having made the version ready."""
    if migration.state not in (MigrationState.BUILDING, MigrationState.PAUSED):
        return migration
    detail = _fault(gateway, migration)
    return migration if detail is None else gateway.migrations.fail(migration, detail)


def _fault(gateway: Gateway, migration: Migration) -> str | None:
    if migration.job is None:
        late = datetime.now(UTC) - migration.created_at > _STARTING
        fault = "The gateway ended while it started this migration. Resume it, or an embedder aborts it soon."
        return fault if late else None
    try:
        job = gateway.ledger.job(migration.job)
    except JobNotFound:
        return f"The record of its job {migration.job} is gone. Resume or abort it."
    if not job.state.final:
        return None
    why = f" {job.error.detail}" if job.error else ""
    return f"Its job {job.id} ended as {job.state} before all was done.{why} Resume or abort it."


def _with_new_job(gateway: Gateway, migration: Migration, note: Callable[[str], Migration]) -> Migration:
    """The migration with a new job, sent once `note` has named it in the record, where planners look."""
    held = gateway.index.collection(migration.old, counted=False)
    gateway.index.ensure_collection(
        CollectionSpec(
            migration.new,
            migration.space,
            migration.dimension,
            {**held.fields, **indexed_fields(gateway.settings.metadata_fields)},
            migration.quantization,
            migration.precision,
        )
    )
    source = MigrationSource(migration=migration.id)
    job = record_job(gateway, JobRequest(collection=migration.collection, source=source))
    try:
        noted = note(job.id)
    except SightlineError:
        # A job that no migration names would stay for ever, and do nothing.
        with suppress(SightlineError):
            gateway.ledger.stop(job.id)
        raise
    send_job(gateway, job)
    return noted


def _artifact(gateway: Gateway, info: CollectionInfo, model: str | None) -> Artifact:
    try:
        return gateway.models.artifact_of(info.space) if model is None else gateway.models.named(model)
    except ModelError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "model_not_found", str(error)) from error


def _check_precision(artifact: Artifact, precision: Precision | None) -> None:
    manifest = artifact.manifest
    if precision not in (None, Precision.AUTO, *manifest.precisions):
        fit = ", ".join(manifest.precisions)
        detail = f"Model {manifest.name} is not fit for {precision}. It is for {fit}."
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "precision_not_fit", detail)


def _check_new(
    info: CollectionInfo, artifact: Artifact, precision: Precision | None, quantization: Quantization | None
) -> None:
    if info.version == info.name:
        raise MigrationRefused(
            "collection_without_versions",
            f"Collection '{info.name}' was made before collections had versions, and a Qdrant server gives "
            f"its name to no other. See docs/migrations.md for how to move it.",
        )
    same_model = (artifact.manifest.space, precision) == (info.space, info.precision)
    if same_model and quantization in (None, info.quantization):
        raise MigrationRefused(
            "nothing_to_migrate",
            f"Collection '{info.name}' has model {artifact.manifest.name} in this precision and quantization "
            f"already. Name another model, precision or quantization.",
        )
