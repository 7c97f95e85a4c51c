"""Headers of tar members: one at a time, and no more of an extension in memory than names need."""

import tarfile
from dataclasses import dataclass

from sightline_embedder.sources.archives.limits import too_large
from sightline_embedder.sources.archives.members import ArchiveDamaged
from sightline_embedder.sources.archives.streams import ForwardStream

BLOCK_BYTES = 512
END_BLOCK = bytes(BLOCK_BYTES)
_EXTENSION_BYTES = 1 << 20
"""Long names and pax records of one member; tarfile would read as many as the header says."""
_PAX_TYPES = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_SPARSE_EXTENDED_AT, _SPARSE_EXTENSION_EXTENDED_AT = 482, 504


@dataclass(frozen=True)
class TarHeader:
    """What the header blocks of one member say; `size` is that of the data that follows, in bytes."""

    name: str
    type: bytes
    size: int
    sparse: bool


def is_tar_header(block: bytes) -> bool:
    """Whether the block is a member's header, by its checksum."""
    try:
        return bool(_parsed(block))
    except tarfile.HeaderError:
        return False


def read_header(stream: ForwardStream) -> TarHeader | None:
    """The next member's header, or None at the end mark; raises ArchiveDamaged.

    POSIX.1-2017 (pax) and the GNU format. A missing end mark is damage: the archive may have been cut
    off between two members.
    """
    long_name: str | None = None
    records: dict[str, str] = {}
    while (block := stream.read(BLOCK_BYTES)) != END_BLOCK:
        info = _header(block)
        if info.type == tarfile.GNUTYPE_LONGNAME:
            long_name = _text(_extension(stream, info).partition(b"\0")[0])
        elif info.type in _PAX_TYPES:
            records |= _pax_records(_extension(stream, info))
        elif info.type in (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK):
            _skip_data(stream, info.size)
        else:
            return _with_extensions(stream, block, info, long_name, records)
    return None


def padded(size: int) -> int:
    """Bytes that data of `size` bytes takes in an archive."""
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def _header(block: bytes) -> tarfile.TarInfo:
    if not block:
        raise ArchiveDamaged("The archive ends without the mark of its end; it may have been cut off.")
    try:
        info = _parsed(block)
    except tarfile.HeaderError as error:
        raise ArchiveDamaged(f"The archive is damaged where a member should begin ({error}).") from error
    if info.size < 0:
        raise ArchiveDamaged(f"The archive is damaged: it says that a member has {info.size} bytes.")
    return info


def _parsed(block: bytes) -> tarfile.TarInfo:
    return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")


def _extension(stream: ForwardStream, info: tarfile.TarInfo) -> bytes:
    if info.size > _EXTENSION_BYTES:
        raise too_large(
            f"The archive has a member with {info.size:,} bytes of names and attributes; the limit is "
            f"{_EXTENSION_BYTES:,}. What came before is indexed."
        )
    data = stream.read(padded(info.size))[: info.size]
    if len(data) < info.size:
        raise ArchiveDamaged("The archive is cut off within the name of a member.")
    return data


def _skip_data(stream: ForwardStream, size: int) -> None:
    stream.skip(padded(size))


def _with_extensions(
    stream: ForwardStream,
    block: bytes,
    info: tarfile.TarInfo,
    long_name: str | None,
    records: dict[str, str],
) -> TarHeader:
    sparse = any(keyword.startswith("GNU.sparse.") for keyword in records)
    if info.type == tarfile.GNUTYPE_SPARSE:
        sparse = True
        _skip_sparse_map(stream, block)
    size = records.get("size", str(info.size))
    if not (size.isascii() and size.isdigit() and len(size) < 20):
        raise ArchiveDamaged(f"The archive is damaged: it says that a member has {size[:40]!r} bytes.")
    name = records.get("GNU.sparse.name", records.get("path", long_name or info.name))
    kind = info.type
    if kind == tarfile.REGTYPE and name.endswith("/"):
        kind = tarfile.DIRTYPE
    return TarHeader(name, kind, int(size), sparse)


def _skip_sparse_map(stream: ForwardStream, block: bytes) -> None:
    extended = block[_SPARSE_EXTENDED_AT]
    while extended:
        extension = stream.read(BLOCK_BYTES)
        if len(extension) < BLOCK_BYTES:
            raise ArchiveDamaged("The archive is cut off within the map of a sparse file.")
        extended = extension[_SPARSE_EXTENSION_EXTENDED_AT]


def _pax_records(data: bytes) -> dict[str, str]:
    """Records of the form 'LENGTH KEYWORD=VALUE\\n', where LENGTH counts the whole record."""
    records: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at]:
        digits = data[at : at + 8].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = data[at : at + length]
        if length <= len(digits) + 1 or len(record) < length or not record.endswith(b"\n"):
            raise ArchiveDamaged("The archive is damaged within the attributes of a member.")
        keyword, _, value = record[len(digits) + 1 : -1].partition(b"=")
        records[_text(keyword)] = _text(value)
        at += length
    return records


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
