"""Members of archives, whatever the format."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from sightline.queue.sources import Refusal
from sightline_embedder.errors import SourceError


class MemberKind(Enum):
    """What a member would be on a disk."""

    FILE = "a file"
    FOLDER = "a folder"
    LINK = "a link"
    SPECIAL = "a device or a pipe"


@dataclass(frozen=True)
class Member:
    """One entry of an archive, in the order of the archive.

    `name` is as the archive has it; bytes that are not UTF-8 are surrogates (PEP 383). `size` is what the
    archive says of the content in bytes, and `packed` what it takes in the archive; None where that is
    not known before, and where members are not compressed one by one. `refused` says why the content
    cannot be read at all. `chunks` reads it in pieces: once, and before the next member is asked for. It
    raises BadPicture where the content is not to be had, SourceError where the archive costs too much.
    """

    name: str
    kind: MemberKind
    size: int | None
    packed: int | None
    chunks: Callable[[], Iterator[bytes]]
    refused: Refusal | None = None


class ArchiveDamaged(SourceError):
    """An archive that cannot be read from some place on."""

    def __init__(self, detail: str) -> None:
        super().__init__("archive_damaged", f"{detail} What came before is indexed.")
