"""Archives built by code: good ones with the standard library, hostile ones byte by byte."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from PIL import Image

END_OF_TAR = bytes(1024)


def jpeg(seed: int, side: int = 32) -> bytes:
    """A small picture, another one for each seed."""
    image = Image.frombytes("RGB", (side, side), Random(seed).randbytes(3 * side * side))
    stream = io.BytesIO()
    image.save(stream, "JPEG")
    return stream.getvalue()


def png(seed: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 16), (seed % 256, seed // 256 % 256, 7)).save(stream, "PNG")
    return stream.getvalue()


def zip_of(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return stream.getvalue()


def streamed_zip_of(files: Mapping[str, bytes]) -> bytes:
    """A zip as programs write it that cannot go back: lengths stand behind the content."""

    class Forward(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *where: int) -> int:
            raise io.UnsupportedOperation("seek")

        def tell(self) -> int:
            raise io.UnsupportedOperation("tell")

    stream = Forward()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tar_of(files: Mapping[str, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def tar_of_members(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A tar with headers as they are given."""
    blocks = []
    for info, data in members:
        blocks += [info.tobuf(tarfile.GNU_FORMAT), data, bytes(-len(data) % 512)]
    return b"".join([*blocks, END_OF_TAR])


def tar_member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


FORMATS: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    "zip": zip_of,
    "stored-zip": lambda files: zip_of(files, zipfile.ZIP_STORED),
    "streamed-zip": streamed_zip_of,
    "tar": tar_of,
    "gnu-tar": lambda files: tar_of(files, tarfile.GNU_FORMAT),
    "ustar": lambda files: tar_of(files, tarfile.USTAR_FORMAT),
    "tar.gz": lambda files: gzip.compress(tar_of(files)),
    "tar.bz2": lambda files: bz2.compress(tar_of(files)),
    "tar.xz": lambda files: lzma.compress(tar_of(files)),
}


@dataclass(frozen=True)
class RawEntry:
    """An entry of a zip directory that may say what it likes."""

    name: bytes
    offset: int
    packed: int
    size: int
    crc: int
    method: int = 8
    flags: int = 0
    mode: int = 0


def local_header(
    name: bytes, packed: int, size: int, crc: int, method: int = 8, flags: int = 0, extra: bytes = b""
) -> bytes:
    fixed = struct.pack(
        "<4s5H3L2H", b"PK\x03\x04", 20, flags, method, 0, 0, crc, packed, size, len(name), len(extra)
    )
    return fixed + name + extra


def directory_of(entries: Sequence[RawEntry], start: int) -> bytes:
    """The directory of a zip and the record that ends it."""
    records = b"".join(
        struct.pack(
            "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, one.flags, one.method, 0, 0, one.crc, one.packed, one.size,
            len(one.name), 0, 0, 0, 0, one.mode << 16, one.offset,
        ) + one.name
        for one in entries
    )  # fmt: skip
    count = len(entries) & 0xFFFF
    return records + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(records), start, 0)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def zip_of_entries(members: Sequence[tuple[RawEntry, bytes]]) -> bytes:
    """A zip whose local headers agree with the directory; the second of each pair is the packed data."""
    body, entries = bytearray(), []
    for entry, packed in members:
        placed = RawEntry(**{**entry.__dict__, "offset": len(body)})
        body += local_header(entry.name, entry.packed, entry.size, entry.crc, entry.method, entry.flags)
        body += packed
        entries.append(placed)
    return bytes(body) + directory_of(entries, len(body))


def raw_entry(name: bytes, data: bytes, **fields: int) -> tuple[RawEntry, bytes]:
    """An honest entry but for `fields`, and its packed data."""
    packed = deflated(data)
    values = {"packed": len(packed), "size": len(data), "crc": zlib.crc32(data), "offset": 0} | fields
    return RawEntry(name, **values), packed
