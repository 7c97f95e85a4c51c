"""What an archive may cost before it is left alone."""

from dataclasses import dataclass
from typing import Self

from sightline.settings import MIB, Settings
from sightline_embedder.errors import SourceError

PIECE_BYTES = 128 << 10
"""Archives are read, and members copied, in pieces of this size."""
MAX_RATIO = 200
"""Bytes unpacked for each byte of the archive, beyond `ratio_free_bytes`."""


@dataclass(frozen=True)
class ArchiveLimits:
    """The bytes of one picture, the members of an archive, and the bytes unpacked of it in all.

    So many as `ratio_free_bytes` may come out whatever the ratio of compression: a white scan compresses
    a thousandfold, and is honest. `min_free_bytes` of the disk stay free.
    """

    picture_bytes: int
    members: int
    unpacked_bytes: int
    min_free_bytes: int
    ratio_free_bytes: int = 256 * MIB

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits that the settings name."""
        return cls(
            picture_bytes=settings.max_picture_bytes,
            members=settings.archive_max_members,
            unpacked_bytes=settings.archive_max_bytes,
            min_free_bytes=settings.min_free_bytes,
        )


class Unpacked:
    """Counts what comes out of one archive, and the bytes of the archive that it comes from."""

    def __init__(self, limits: ArchiveLimits) -> None:
        self._limits = limits
        self._size = 0
        self._packed = 0

    def swells(self, size: int, packed: int) -> bool:
        """Whether `size` more bytes out of `packed` are more than pictures give."""
        allowed = self._limits.ratio_free_bytes + MAX_RATIO * (self._packed + packed)
        return self._size + size > allowed

    def add(self, size: int, packed: int) -> None:
        """Count bytes; raises SourceError (`archive_too_large`) over the limit of bytes."""
        self._size += size
        self._packed += packed
        if self._size > self._limits.unpacked_bytes:
            raise too_large(
                f"The archive unpacks to more than {self._limits.unpacked_bytes:,} bytes, the limit "
                f"(SIGHTLINE_ARCHIVE_MAX_BYTES). What came before is indexed; split the archive."
            )


def too_large(detail: str) -> SourceError:
    """What fails a job whose archive is beyond a limit."""
    return SourceError("archive_too_large", detail)


def swollen() -> SourceError:
    """What fails a job whose archive unpacks to more than pictures do."""
    return too_large(
        f"The archive unpacks to more than {MAX_RATIO} times its size. What came before is indexed; if it "
        f"is honest, pack it without compression."
    )


def too_many_members(limits: ArchiveLimits) -> SourceError:
    """What fails a job whose archive has more members than allowed."""
    return too_large(
        f"The archive has more than {limits.members:,} members, the limit "
        f"(SIGHTLINE_ARCHIVE_MAX_MEMBERS). Split the archive."
    )
