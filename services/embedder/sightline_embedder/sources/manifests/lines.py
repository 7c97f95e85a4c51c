"""Lines of a text file, of bounded length."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sightline_embedder.errors import SourceError
from sightline_embedder.sources.manifests.rows import MAX_ROW_BYTES

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Line:
    """A line with its end, or None where it is longer than a row may be; the next begins at `end`."""

    text: str | None
    end: int


def lines_from(file: BinaryIO, offset: int) -> Iterator[Line]:
    """The lines from byte `offset` on; raises SourceError (`manifest_encoding`) for what is not UTF-8."""
    file.seek(offset)
    while raw := file.readline(MAX_ROW_BYTES):
        begin, offset = offset, offset + len(raw)
        if len(raw) == MAX_ROW_BYTES and not raw.endswith(b"\n"):
            offset = _skip_line(file, offset)
            yield Line(None, offset)
        else:
            yield Line(_decoded(raw.removeprefix(_BOM) if begin == 0 else raw, begin), offset)


def _skip_line(file: BinaryIO, offset: int) -> int:
    while raw := file.readline(MAX_ROW_BYTES):
        offset += len(raw)
        if raw.endswith(b"\n"):
            break
    return offset


def _decoded(raw: bytes, begin: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise SourceError(
            "manifest_encoding",
            f"It is not UTF-8 text ({error.reason} at byte {begin + error.start}). Save it as UTF-8.",
        ) from error
