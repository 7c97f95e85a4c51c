"""Rows of files of points, as they come out of a file: nothing in them has been checked."""

from typing import Any

import msgspec

from sightline_embedder.errors import SourceError


class Order(msgspec.Struct, frozen=True):
    """What to read: descriptors of a file of points, or of vectors and the table beside them, after a row."""

    vectors: int
    table: int | None
    dimension: int
    after: int


class RawPoint(msgspec.Struct, frozen=True, array_like=True):
    """A row: its cells by column, and its vector as little-endian float32, None where it is none.

    `fault` is set where the row could not be passed on, and completes "Row 7 …".
    """

    values: dict[str, Any]
    vector: bytes | None
    fault: str | None = None


class Rows(msgspec.Struct, frozen=True, tag=True):
    """The next rows; none at the end."""

    points: list[RawPoint]


class Fault(msgspec.Struct, frozen=True, tag=True):
    """What is wrong with the file."""

    code: str
    detail: str


def damaged(detail: str) -> SourceError:
    """What fails a job whose files cannot be read, or not further."""
    return SourceError("import_damaged", detail)
