"""Every error the engine raises on purpose.

SightlineError
├── BadPicture            a picture that cannot be used: data, recorded, never retried by itself
├── Unavailable           a service that does not answer: retried, never blamed on a picture
│   └── StorageFull       a disk without room: retried in vain until somebody makes some
├── BucketUnusable        a bucket that is not there, or may not be listed
├── OutsideRoots          a path that leads out of the folders that may be imported
├── SettingsError         settings that contradict each other or the machine
├── ModelError            a model that cannot be found, built, loaded or trusted
├── SpaceMismatch         vectors of one model offered to a collection of another
├── NotFound
│   ├── CollectionNotFound
│   ├── ImageNotFound
│   ├── MediaNotFound
│   ├── JobNotFound
│   ├── KeyNotFound
│   └── MigrationNotFound
├── BackupError           a backup that cannot be taken, or put back
├── CollectionBeingDeleted a job for a collection that goes at this moment
├── KeyRefused            a key that may not be made or revoked as things stand
├── MigrationRefused      a migration that may not be started or go on as things stand
└── BadRequest            a request that cannot be carried out as it stands
    ├── FieldNotIndexed
    ├── QueryCancelsOut
    └── IdempotencyKeyReused
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path


class FailureReason(StrEnum):
    """Why a picture was not indexed. The set is part of the API and only ever grows."""

    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    DECODE_TIMEOUT = "decode_timeout"
    NOT_FOUND = "not_found"
    ACCESS_DENIED = "access_denied"
    ADDRESS_FORBIDDEN = "address_forbidden"
    FETCH_TIMEOUT = "fetch_timeout"
    FETCH_FAILED = "fetch_failed"
    ARCHIVE_MEMBER_UNSAFE = "archive_member_unsafe"
    BAD_METADATA = "bad_metadata"
    BAD_VECTOR = "bad_vector"
    BAD_POINT = "bad_point"
    INTERNAL = "internal"


class SightlineError(Exception):
    """Root of the tree; `str()` of any of them is a sentence a person can act on."""


class BadPicture(SightlineError):
    """Bytes, or a reference to bytes, that give no usable picture."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["BadPicture"], tuple[FailureReason, str]]:
        """Pickle by both arguments: decoding happens in another process."""
        return type(self), (self.reason, self.detail)


class Unavailable(SightlineError):
    """A service that this process needs does not answer."""

    fault = "does not answer"

    def __init__(self, service: str, detail: str) -> None:
        super().__init__(f"{service} {self.fault}: {detail}")
        self.service = service
        self.detail = detail


class StorageFull(Unavailable):
    """A store has no room left for what it should take."""

    fault = "has no room left"


class BucketUnusable(SightlineError):
    """A bucket that is not there, or may not be listed; `code` says which."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class OutsideRoots(SightlineError):
    """A path that leads out of the folders that may be imported."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} leads out of the folders that may be imported.")


class SettingsError(SightlineError):
    """Settings that contradict each other, or that this machine cannot satisfy."""


class ModelError(SightlineError):
    """A model that cannot be found, built, loaded or trusted."""


class SpaceMismatch(SightlineError):
    """Vectors of one model were offered to, or asked of, a collection of another."""

    def __init__(self, collection: str, collection_space: str, offered_space: str) -> None:
        super().__init__(
            f"Collection '{collection}' holds vectors of space {collection_space}, but the model in "
            f"use makes vectors of space {offered_space}. Use the model the collection was made with, "
            f"or another collection."
        )
        self.collection = collection


class NotFound(SightlineError):
    """Something named in a request does not exist."""


class CollectionNotFound(NotFound):
    """No collection has that name."""

    def __init__(self, collection: str) -> None:
        super().__init__(f"There is no collection '{collection}'.")


class ImageNotFound(NotFound):
    """No image in the collection has that id."""

    def __init__(self, collection: str, image_id: str) -> None:
        super().__init__(f"There is no image {image_id} in collection '{collection}'.")


class MediaNotFound(NotFound):
    """The media store keeps no such original or thumbnail."""

    def __init__(self, kind: str, collection: str, key: str) -> None:
        super().__init__(f"No {kind} is kept for {key} in collection '{collection}'.")


class JobNotFound(NotFound):
    """No job has that id, or its record has expired."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id}.")


class KeyNotFound(NotFound):
    """No key has that id, or it has been revoked."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no key {key_id}.")


class MigrationNotFound(NotFound):
    """No migration has that id."""

    def __init__(self, migration_id: str) -> None:
        super().__init__(f"There is no migration {migration_id}.")


class BackupError(SightlineError):
    """A backup cannot be taken, or put back; `str()` says why and what to do."""


class CollectionBeingDeleted(SightlineError):
    """A collection is being deleted, or was since the request for a job of it came in."""

    def __init__(self, collection: str) -> None:
        super().__init__(
            f"Collection '{collection}' is being deleted, and takes nothing in meanwhile. Send the request "
            f"again in a moment, or name another collection."
        )


class KeyRefused(SightlineError):
    """A key that may not be made or revoked as things stand; `code` says why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class MigrationRefused(SightlineError):
    """A migration that may not be started, or not go on so, as things stand; `code` says why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class BadRequest(SightlineError):
    """A request that is well formed but cannot be carried out."""


class FieldNotIndexed(BadRequest):
    """A filter names a field that has no index, so that it would scan every point."""

    def __init__(self, field: str, indexed: Sequence[str]) -> None:
        super().__init__(f"Field '{field}' is not indexed. Indexed fields: {', '.join(indexed)}.")
        self.field = field
        self.indexed = tuple(indexed)


class QueryCancelsOut(BadRequest):
    """The weighted parts of a query add up to (nearly) nothing."""

    def __init__(self) -> None:
        super().__init__("The weights of the query cancel out: nothing is left to search for.")


class IdempotencyKeyReused(BadRequest):
    """An idempotency key came with another request before."""

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for another request within the last 24 hours. "
            "Send a new key with a new request."
        )
