"""What a storage's failure means: whose fault it is, and the sentence about it."""

from collections.abc import Iterator
from dataclasses import replace

from sightline.buckets.addresses import ObjectAddress
from sightline.buckets.storage import Fault, OpenedObject, StorageFailure
from sightline.errors import BadPicture, BucketUnusable, FailureReason, Unavailable

_REASONS = {
    Fault.OBJECT_MISSING: FailureReason.NOT_FOUND,
    Fault.BUCKET_MISSING: FailureReason.NOT_FOUND,
    Fault.DENIED: FailureReason.ACCESS_DENIED,
    Fault.TIMED_OUT: FailureReason.FETCH_TIMEOUT,
}


def unreadable(address: ObjectAddress, failure: StorageFailure) -> BadPicture:
    """The failure as that of one object."""
    reason = _REASONS.get(failure.fault, FailureReason.FETCH_FAILED)
    return BadPicture(reason, f"{address.url} cannot be read: {failure.what}.")


def unavailable(address: ObjectAddress, failure: StorageFailure) -> Unavailable:
    """The failure as that of the storage."""
    return Unavailable(f"The storage of {address.bucket_url}", failure.what)


def unlistable(folder: ObjectAddress, failure: StorageFailure) -> BucketUnusable:
    """The failure as that of a whole bucket."""
    match failure.fault:
        case Fault.BUCKET_MISSING | Fault.OBJECT_MISSING:
            return BucketUnusable("bucket_not_found", f"There is no bucket {folder.bucket_url}.")
        case Fault.DENIED:
            return BucketUnusable(
                "bucket_access_denied",
                f"{folder.url} may not be listed ({failure.what}). Check the credentials of the embedder, "
                f"and that they permit listing.",
            )
        case Fault.UNNAMEABLE_KEY:
            return BucketUnusable(
                "bucket_key_unusable",
                f"{folder.url} cannot be listed further: {failure.what}. Rename or remove that object, or "
                f"import prefixes without it.",
            )
        case _:
            return BucketUnusable("bucket_failed", f"{folder.url} cannot be listed: {failure.what}.")


def limited(address: ObjectAddress, opened: OpenedObject, max_bytes: int) -> OpenedObject:
    """The object, with BadPicture (`too_many_bytes`) at once, or from the chunks if its size was a lie."""
    if opened.size > max_bytes:
        raise _too_large(address, opened.size, max_bytes)
    return replace(opened, chunks=_limited_chunks(address, opened, max_bytes))


def _limited_chunks(address: ObjectAddress, opened: OpenedObject, max_bytes: int) -> Iterator[bytes]:
    received = 0
    for chunk in opened.chunks:
        received += len(chunk)
        if received > max_bytes:
            raise _too_large(address, received, max_bytes)
        yield chunk


def _too_large(address: ObjectAddress, size: int, max_bytes: int) -> BadPicture:
    return BadPicture(
        FailureReason.TOO_MANY_BYTES, f"{address.url} has {size} bytes; the limit is {max_bytes}."
    )
