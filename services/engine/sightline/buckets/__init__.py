"""Buckets: listing and reading objects in S3, Google Cloud Storage and Azure Blob Storage."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from threading import Lock
from typing import Self

from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
)

from sightline.buckets.addresses import AllowedBuckets, ObjectAddress, Scheme, parse_address
from sightline.buckets.blame import limited, unavailable, unlistable, unreadable
from sightline.buckets.opening import open_bucket
from sightline.buckets.storage import (
    USUAL_LIMITS,
    Bucket,
    Fault,
    OpenedObject,
    StorageFailure,
    StorageLimits,
)
from sightline.errors import BadPicture, BucketUnusable, FailureReason
from sightline.settings import Settings

__all__ = ["Buckets", "ObjectContent", "ObjectInfo", "OpenedObject", "StorageLimits"]

_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 2.0
_ABSENT_KEY = ".sightline-probe"


@dataclass(frozen=True)
class ObjectInfo:
    """An object found by listing; `size` in bytes."""

    url: str
    key: str
    size: int
    modified_at: datetime


@dataclass(frozen=True)
class ObjectContent:
    """An object that was read whole."""

    data: bytes = field(repr=False)
    modified_at: datetime


class Buckets:
    """Objects inside the buckets that may be imported. Safe to call from several threads.

    What a storage answers for one object is that object's failure. A storage that does not answer is
    Unavailable: where reading fails for want of an answer, another question shows which of the two it is.
    """

    def __init__(self, allowed: Sequence[str], limits: StorageLimits = USUAL_LIMITS) -> None:
        """Nothing is connected yet; raises SettingsError for what is not a bucket's URL."""
        self._allowed = AllowedBuckets(allowed)
        self._limits = limits
        self._opened: dict[tuple[Scheme, str], Bucket] = {}
        self._lock = Lock()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The buckets that the settings allow."""
        limits = StorageLimits(settings.fetch_first_byte_s, settings.fetch_timeout_s)
        return cls(settings.buckets, limits)

    def check_allowed(self, url: str) -> None:
        """Raise BucketUnusable (`bucket_url_invalid`, `bucket_not_allowed`) for what may not be listed."""
        self._allowed.check(parse_address(url).below())

    def list_after(self, url: str, key: str | None) -> Iterator[ObjectInfo]:
        """Lazily, in the order of the keys' bytes, every object below `url` whose key is greater than `key`.

        Prefixes are whole segments: `s3://shop/a` lists `a/b.jpg` and not `ab.jpg`. Raises BucketUnusable,
        and Unavailable when the storage does not answer.
        """
        folder = parse_address(url).below()
        self._allowed.check(folder)
        after, failures = key, 0
        while True:
            try:
                for one in self._bucket(folder).list_after(folder.key, after):
                    after, failures = one.key, 0
                    yield ObjectInfo(folder.with_key(one.key).url, one.key, one.size, one.modified_at)
                return
            except StorageFailure as failure:
                failures += 1
                if not failure.transient:
                    raise unlistable(folder, failure) from failure
                if failures >= self._limits.attempts:
                    raise unavailable(folder, failure) from failure
            time.sleep(min(_PAUSE_S * 2**failures, _LONGEST_PAUSE_S))

    def read(self, url: str, max_bytes: int) -> ObjectContent:
        """The whole object. What may pass is tried again.

        Raises BadPicture: `not_found`, `access_denied`, `too_many_bytes`, `fetch_timeout`, `fetch_failed`;
        and Unavailable when the storage does not answer.
        """
        address = self._object(url)
        ends_at = time.monotonic() + self._limits.read_s

        def attempt() -> ObjectContent:
            with self._bucket(address).open(address.key) as opened:
                data = BytesIO()
                for chunk in limited(address, opened, max_bytes).chunks:
                    data.write(chunk)
                    if time.monotonic() > ends_at:
                        raise StorageFailure(Fault.TIMED_OUT, f"not read in {self._limits.read_s:g} s")
                return ObjectContent(data.getvalue(), opened.modified_at)

        with self._failures_blamed(address):
            return self._retrying()(attempt)

    @contextmanager
    def stream(self, url: str, max_bytes: int) -> Iterator[OpenedObject]:
        """The object in chunks, for files too large for memory; only silence is limited in time.

        Raises as `read` does, on entry and from the chunks.
        """
        address = self._object(url)
        with self._failures_blamed(address), ExitStack() as held:
            opened = self._retrying()(
                lambda: held.enter_context(self._bucket(address).open(address.key)),
            )
            yield limited(address, opened, max_bytes)

    def _object(self, url: str) -> ObjectAddress:
        try:
            address = parse_address(url)
            self._allowed.check(address)
        except BucketUnusable as error:
            raise BadPicture(FailureReason.ACCESS_DENIED, error.detail) from error
        return address

    def _bucket(self, address: ObjectAddress) -> Bucket:
        name = (address.scheme, address.bucket)
        with self._lock:
            if name not in self._opened:
                self._opened[name] = open_bucket(*name, self._limits)
            return self._opened[name]

    def _retrying(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, StorageFailure) and error.transient),
            stop=stop_after_attempt(self._limits.attempts) | stop_after_delay(self._limits.read_s),
            wait=wait_exponential_jitter(multiplier=_PAUSE_S, max=_LONGEST_PAUSE_S, jitter=_PAUSE_S),
            reraise=True,
        )

    @contextmanager
    def _failures_blamed(self, address: ObjectAddress) -> Iterator[None]:
        try:
            yield
        except StorageFailure as failure:
            if failure.transient and not self._answers(address):
                raise unavailable(address, failure) from failure
            raise unreadable(address, failure) from failure

    def _answers(self, address: ObjectAddress) -> bool:
        """Whether the storage says anything at all, be it that there is no such object."""
        try:
            with self._bucket(address).open(_ABSENT_KEY):
                return True
        except StorageFailure as failure:
            return not failure.transient
