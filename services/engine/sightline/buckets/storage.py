"""The seam to storages: what every one of them can do, and how it fails."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class StorageLimits:
    """How long a storage is waited for.

    `silence_s`: until a connection stands, an answer begins, or more of it comes. `read_s`: for reading one
    picture, retries included. `attempts`: how often what may pass is tried.
    """

    silence_s: float = 10.0
    read_s: float = 30.0
    attempts: int = 3


USUAL_LIMITS = StorageLimits()


class Fault(Enum):
    """What went wrong at a storage."""

    OBJECT_MISSING = auto()
    BUCKET_MISSING = auto()
    DENIED = auto()
    REFUSED = auto()
    FULL = auto()
    UNNAMEABLE_KEY = auto()
    NO_ANSWER = auto()
    TIMED_OUT = auto()


class StorageFailure(Exception):
    """A storage did not do what it was asked to; `what` says it in a few words, without secrets."""

    def __init__(self, fault: Fault, what: str) -> None:
        super().__init__(what)
        self.fault = fault
        self.what = what

    @property
    def transient(self) -> bool:
        """Whether the same may succeed a moment later."""
        return self.fault in (Fault.NO_ANSWER, Fault.TIMED_OUT)


@dataclass(frozen=True)
class StoredObject:
    """An object as it is listed; `size` in bytes."""

    key: str
    size: int
    modified_at: datetime


@dataclass(frozen=True)
class OpenedObject:
    """An object as it is read; `chunks` are of bounded size, come once, and add up to `size` bytes."""

    size: int
    modified_at: datetime
    chunks: Iterator[bytes]


class Bucket(Protocol):
    """A bucket of a storage. Every method may be called from several threads and raises StorageFailure."""

    def list_after(self, prefix: str, after: str | None) -> Iterator[StoredObject]:
        """Lazily, in the order of the keys' UTF-8 bytes, the objects whose keys begin with `prefix`.

        `prefix` is empty or ends in a slash. Only keys greater than `after` are listed.
        """

    def open(self, key: str) -> AbstractContextManager[OpenedObject]:
        """An object's content."""

    def put(self, key: str, content: bytes | Path) -> None:
        """Make an object of bytes or a file, in place of an earlier one; readers see one or the other."""

    def delete(self, keys: Sequence[str]) -> None:
        """Remove up to 1,000 objects, as far as they are there."""
