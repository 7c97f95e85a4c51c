"""Where pictures may be taken from: what a source names is checked before a job is made of it."""

from http import HTTPStatus
from pathlib import Path

from sightline.buckets.addresses import names_object
from sightline.errors import BucketUnusable
from sightline.queue.sources import ArchiveSource, BucketSource, FolderSource, JobSource, ManifestSource
from sightline.roots import real_path, within_roots
from sightline_api.gateway import Gateway
from sightline_api.http.problems import ApiError, field_fault
from sightline_api.ingest.models import check_url

Place = FolderSource | ArchiveSource | ManifestSource | BucketSource


def checked_place(gateway: Gateway, source: Place) -> JobSource:
    """The source with links in its path followed.

    Raises ApiError unless it lies in an import root or in a bucket that may be imported, and is there.
    URLs are fetched under the fetcher's own rules.
    """
    match source:
        case FolderSource():
            return source.model_copy(update={"path": str(checked_path(gateway, source.path, folder=True))})
        case BucketSource():
            _check_bucket(gateway, source.url)
        case ArchiveSource() | ManifestSource() if source.path is not None:
            return source.model_copy(update={"path": str(checked_path(gateway, source.path, folder=False))})
        case ArchiveSource() | ManifestSource():
            _check_file_url(gateway, source.url or "")
    return source


def _check_file_url(gateway: Gateway, url: str) -> None:
    if names_object(url):
        _check_bucket(gateway, url)
        return
    try:
        check_url(url)
    except ValueError as error:
        raise field_fault(str(error), "source", "url") from error


def checked_path(gateway: Gateway, text: str, *, folder: bool) -> Path:
    """A path with its links followed; raises ApiError unless it lies in an import root, and is there."""
    kind, path = "folder" if folder else "file", Path(text)
    if "\0" in text:
        raise field_fault("is no path: it holds a zero byte", "source", "path")
    if not path.is_absolute() or not within_roots(path, gateway.settings.import_roots):
        detail = (
            f"{kind.title()} {text} is not inside a folder that may be imported (SIGHTLINE_IMPORT_ROOTS)."
        )
        raise ApiError(HTTPStatus.FORBIDDEN, "path_not_allowed", detail)
    real = real_path(path)
    try:
        there = real.is_dir() if folder else real.is_file()
    except OSError as error:
        detail = f"The gateway cannot look at {kind} {text}: {error.strerror or error}."
        raise ApiError(HTTPStatus.FORBIDDEN, "path_not_allowed", detail) from error
    if not there:
        detail = f"There is no {kind} {text} on the machine of the gateway."
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{kind}_not_found", detail)
    return real


def _check_bucket(gateway: Gateway, url: str) -> None:
    try:
        gateway.buckets.check_allowed(url)
    except BucketUnusable as error:
        not_allowed = error.code == "bucket_not_allowed"
        status = HTTPStatus.FORBIDDEN if not_allowed else HTTPStatus.UNPROCESSABLE_ENTITY
        raise ApiError(status, error.code, error.detail) from error
