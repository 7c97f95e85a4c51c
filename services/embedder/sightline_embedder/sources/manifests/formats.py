"""Which format a manifest is in: by its first bytes, and where they do not tell by its name."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeAlias

from sightline_embedder.errors import SourceError
from sightline_embedder.sources.manifests.csv_rows import csv_rows
from sightline_embedder.sources.manifests.jsonl_rows import jsonl_rows
from sightline_embedder.sources.manifests.parquet_rows import parquet_rows
from sightline_embedder.sources.manifests.rows import Row, damaged

Reader: TypeAlias = Callable[[BinaryIO, str, str | None], Iterator[Row]]

_HEAD_BYTES = 4096
_PARQUET = b"PAR1"
_UNREAD = {
    b"PARE": "an encrypted Parquet file",
    b"\x1f\x8b": "compressed (gzip)",
    b"\x28\xb5\x2f\xfd": "compressed (zstd)",
    b"PK\x03\x04": "a zip file or a spreadsheet",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"ARROW1": "an Arrow file",
    b"ORC": "an ORC file",
}
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff")


def reader_of(file: BinaryIO, uri: str) -> Reader:
    """What reads the rows.

    Raises SourceError: `manifest_empty`, `manifest_encoding`, `manifest_damaged`, or `manifest_unsupported`
    for another format.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    suffix = uri.partition("?")[0].rpartition("/")[2].rpartition(".")[2].lower()
    if not head:
        raise SourceError("manifest_empty", "It is empty.")
    if head.startswith(_PARQUET):
        return parquet_rows
    if suffix in ("parquet", "pq"):
        raise damaged("It is no Parquet file, though it is named like one.")
    for magic, what in _UNREAD.items():
        if head.startswith(magic):
            raise _unsupported(f"It is {what}.")
    if head.startswith(_OTHER_ENCODINGS):
        raise SourceError("manifest_encoding", "It is UTF-16 text. Save it as UTF-8.")
    if b"\0" in head:
        raise _unsupported("It is no text.")
    return _text_reader(head, suffix)


def _text_reader(head: bytes, suffix: str) -> Reader:
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if suffix in ("csv", "tsv"):
        return csv_rows
    if begin.startswith(b"["):
        raise _unsupported("It is a JSON list; write one object on each line.")
    return jsonl_rows if begin.startswith(b"{") or suffix in ("jsonl", "ndjson") else csv_rows


def _unsupported(what: str) -> SourceError:
    return SourceError("manifest_unsupported", f"{what} Manifests are CSV, JSONL or Parquet, not compressed.")
