"""The door to Google Cloud Storage and Azure Blob Storage."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import obstore
from obstore.exceptions import BaseError, InvalidPathError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, S3Store

from sightline.buckets.addresses import Scheme
from sightline.buckets.storage import Fault, OpenedObject, StorageFailure, StorageLimits, StoredObject

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_LISTED_AT_ONCE = 1000
_NO_TOTAL = timedelta(days=1)
_ENDPOINTS = ("GOOGLE_BASE_URL", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
_STATUS = re.compile(r"status code: (\d{3})")
_CAUSE = re.compile(r"source: (\w+)")

Store: TypeAlias = AzureStore | GCSStore | S3Store


def open_obstore(scheme: Scheme, bucket: str, limits: StorageLimits) -> "ObstoreBucket":
    """A bucket of Google's, or a container of Azure's, with what obstore finds in the environment.

    That is GOOGLE_APPLICATION_CREDENTIALS, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY,
    or the identity of the machine. Raises StorageFailure where something is missing.
    """
    with _failures_named():
        kind = GCSStore if scheme is Scheme.GOOGLE else AzureStore
        return ObstoreBucket(kind(bucket, client_options=client_options(limits), retry_config=NO_RETRY))


def client_options(limits: StorageLimits) -> "ClientConfig":
    """Waiting ends after a silence; unencrypted only where the operator names such an endpoint."""
    silence = timedelta(seconds=limits.silence_s)
    return {
        "allow_http": any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS),
        "connect_timeout": silence,
        "read_timeout": silence,
        "timeout": _NO_TOTAL,
    }


NO_RETRY: "RetryConfig" = {"max_retries": 0}
"""Its own retries would go on for three minutes; `Buckets` tries again."""


class ObstoreBucket:
    """A Bucket through obstore.

    It knows no keys with an empty segment, with `.` or `..` as a segment or with control characters: at the
    page of keys that has one of them, listing ends with UNNAMEABLE_KEY.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def list_after(self, prefix: str, after: str | None) -> Iterator[StoredObject]:
        """See Bucket."""
        with _failures_named(missing=Fault.BUCKET_MISSING):
            for page in self._store.list(prefix or None, offset=after, chunk_size=_LISTED_AT_ONCE):
                for one in page:
                    # Servers that do not know the parameter list from the start.
                    if after is None or one["path"] > after:
                        yield StoredObject(one["path"], one["size"], one["last_modified"])

    @contextmanager
    def open(self, key: str) -> Iterator[OpenedObject]:
        """See Bucket."""
        with _failures_named():
            answer = self._store.get(key)
        yield OpenedObject(answer.meta["size"], answer.meta["last_modified"], _chunks(answer))

    def put(self, key: str, content: bytes | Path) -> None:
        """See Bucket."""
        with _failures_named(missing=Fault.BUCKET_MISSING):
            self._store.put(key, content)

    def delete(self, keys: Sequence[str]) -> None:
        """See Bucket."""
        # One by one: of several, some storages tell of one that is missing and leave the others.
        for key in keys:
            with _failures_named(), suppress(FileNotFoundError):
                self._store.delete(key)


def _chunks(answer: "obstore.GetResult") -> Iterator[bytes]:
    with _failures_named():
        for chunk in answer.stream(min_chunk_size=1):
            yield bytes(chunk)


@contextmanager
def _failures_named(missing: Fault = Fault.OBJECT_MISSING) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StorageFailure(missing, "404") from error
    except InvalidPathError as error:
        raise StorageFailure(Fault.UNNAMEABLE_KEY, str(error).splitlines()[0][:300]) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise StorageFailure(Fault.DENIED, "access denied") from error
    except ValueError as error:
        raise StorageFailure(missing, "no object has such a key") from error
    except BaseError as error:
        raise _generic(str(error), missing) from error


def _generic(text: str, missing: Fault) -> StorageFailure:
    """The failure behind obstore's catch-all; its text is looked at only, as it may hold signed URLs."""
    if status := _STATUS.search(text):
        return StorageFailure(_fault(int(status[1]), missing), f"status {status[1]}")
    if "kind: Timeout" in text:
        return StorageFailure(Fault.TIMED_OUT, "no answer in time")
    if "HTTP error" in text:
        return StorageFailure(Fault.NO_ANSWER, "the connection failed")
    cause = _CAUSE.search(text)
    return StorageFailure(Fault.REFUSED, cause[1] if cause else "an unknown error")


def _fault(status: int, missing: Fault) -> Fault:
    if status == 404:
        return missing
    if status in (401, 403):
        return Fault.DENIED
    if status == 507:
        return Fault.FULL
    return Fault.NO_ANSWER if status >= 500 or status == 429 else Fault.REFUSED
