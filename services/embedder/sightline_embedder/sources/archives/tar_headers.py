"""Headers of tar members: one at a time, and no more of an extension in memory than names need."""

import tarfile
from dataclasses import dataclass

from sightline_embedder.sources.archives.limits import too_large
from sightline_embedder.sources.archives.members import ArchiveDamaged
from sightline_embedder.sources.archives.streams import ForwardStream

BLOCK_BYTES = 512
END_BLOCK = bytes(BLOCK_BYTES)
_EXTENSION_BYTES = 1 << 20
"""Long names and pax records of one member in all, with their headers; tarfile would read any number."""
_PAX_TYPES = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_PASSED_OVER_TYPES = (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK)
_EXTENSION_TYPES = (tarfile.GNUTYPE_LONGNAME, *_PAX_TYPES, *_PASSED_OVER_TYPES)
_SPARSE = "GNU.sparse."
_USED_KEYWORDS = ("path", "size")
"""And those of sparse files; other records are not kept."""
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

    Raises SourceError (`archive_too_large`) where too many names and attributes are those of one member.
    POSIX.1-2017 (pax) and the GNU format. A missing end mark is damage: the archive may have been cut
    off between two members.
    """
    extensions = _Extensions(stream)
    while (block := stream.read(BLOCK_BYTES)) != END_BLOCK:
        info = _header(block)
        if info.type not in _EXTENSION_TYPES:
            return _with_extensions(stream, block, info, extensions)
        extensions.add(info)
    return None


def padded(size: int) -> int:
    """Bytes that data of `size` bytes takes in an archive."""
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


class _Extensions:
    """What the headers before a member's own say of it."""

    def __init__(self, stream: ForwardStream) -> None:
        self.long_name: str | None = None
        self.records: dict[str, str] = {}
        self._stream = stream
        self._bytes = 0

    def add(self, info: tarfile.TarInfo) -> None:
        """Read the data behind one of them, or pass over it."""
        if info.type in _PASSED_OVER_TYPES:
            self._count(BLOCK_BYTES)
            self._stream.skip(padded(info.size))
            return
        self._count(BLOCK_BYTES + info.size)
        data = self._stream.read(padded(info.size))[: info.size]
        if len(data) < info.size:
            raise ArchiveDamaged("The archive is cut off within the name of a member.")
        if info.type == tarfile.GNUTYPE_LONGNAME:
            self.long_name = _text(data.partition(b"\0")[0])
        else:
            self.records |= _pax_records(data)

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > _EXTENSION_BYTES:
            raise too_large(
                f"The archive has a member with over {_EXTENSION_BYTES:,} bytes of names and attributes, the "
                f"limit. What came before is indexed."
            )


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


def _with_extensions(
    stream: ForwardStream, block: bytes, info: tarfile.TarInfo, extensions: _Extensions
) -> TarHeader:
    records = extensions.records
    sparse = any(keyword.startswith(_SPARSE) for keyword in records)
    if info.type == tarfile.GNUTYPE_SPARSE:
        sparse = True
        _skip_sparse_map(stream, block)
    size = records.get("size", str(info.size))
    if not (size.isascii() and size.isdigit() and len(size) < 20):
        raise ArchiveDamaged(f"The archive is damaged: it says that a member has {size[:40]!r} bytes.")
    name = records.get(f"{_SPARSE}name", records.get("path", extensions.long_name or info.name))
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
    """The records that are used, of the form 'LENGTH KEYWORD=VALUE\\n'; LENGTH counts the whole record."""
    records: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at]:
        digits = data[at : at + 8].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = data[at : at + length]
        if length <= len(digits) + 1 or len(record) < length or not record.endswith(b"\n"):
            raise ArchiveDamaged("The archive is damaged within the attributes of a member.")
        named, _, value = record[len(digits) + 1 : -1].partition(b"=")
        keyword = _text(named)
        if keyword in _USED_KEYWORDS or keyword.startswith(_SPARSE):
            records[keyword] = _text(value)
        at += length
    return records


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
