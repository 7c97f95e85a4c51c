"""What failed in a job, as the pictures of another."""

from collections.abc import Iterator
from http import HTTPStatus

from sightline.errors import FailureReason, MigrationRefused
from sightline.queue.jobs import Job, JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import MigrationSource, PictureRef, RecordedSource
from sightline_api.http.problems import ApiError


def retry_of(job: Job, reason: FailureReason | None) -> JobRequest:
    """The request for a job of what failed, with the tags and all else that was asked for then.

    Raises ApiError (409) for a job that goes on or in which nothing failed so.
    """
    if not job.state.final:
        detail = f"Job {job.id} is {job.state}. Wait until it has ended, or cancel it, and retry then."
        raise ApiError(HTTPStatus.CONFLICT, "job_running", detail)
    check_no_migration(job)
    failed = job.counts.failed if reason is None else job.failures_by_reason.get(reason, 0)
    if not failed:
        detail = f"No picture of job {job.id} failed{f' with reason {reason}' if reason else ''}."
        raise ApiError(HTTPStatus.CONFLICT, "nothing_to_retry", detail)
    return job.request.model_copy(update={"source": RecordedSource(kind="retry", retry_of=job.id)})


def check_no_migration(job: Job) -> None:
    """Raise MigrationRefused for the job of a migration, which administrators steer as a whole."""
    source = job.request.source
    if isinstance(source, MigrationSource):
        raise MigrationRefused(
            "migration_state",
            f"Job {job.id} is that of migration {source.migration}. Pause, resume or abort the migration.",
        )


def failed_pictures(ledger: Ledger, job_id: str, reason: FailureReason | None) -> Iterator[PictureRef]:
    """The pictures of a job's failures, lazily; what was refused when listed stays so."""
    for failure in ledger.failures(job_id, reason=reason):
        yield PictureRef(**failure.item.model_dump(exclude={"number"}))
