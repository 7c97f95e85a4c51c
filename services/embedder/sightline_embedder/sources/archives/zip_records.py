"""Records of the zip format: APPNOTE.TXT 6.3.10, sections 4.3 to 4.5."""

import struct
from dataclasses import dataclass, replace

LOCAL_SIGNATURE = b"PK\x03\x04"
DESCRIPTOR_SIGNATURE = b"PK\x07\x08"
ENTRY_SIGNATURE = b"PK\x01\x02"
END_SIGNATURE = b"PK\x05\x06"
ZIP64_END_SIGNATURE = b"PK\x06\x06"
ZIP64_LOCATOR_SIGNATURE = b"PK\x06\x07"

LOCAL = struct.Struct("<4s5H3L2H")
ENTRY = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
ZIP64_END = struct.Struct("<4sQ2H2L4Q")
ZIP64_LOCATOR = struct.Struct("<4sLQL")

ENCRYPTED_FLAG = 0x0001
DESCRIPTOR_FLAG = 0x0008
UTF8_FLAG = 0x0800
STORED, DEFLATED = 0, 8

_ZIP64_EXTRA = 1
_IN_EXTRA = 0xFFFF_FFFF


class BadRecord(Exception):
    """Bytes that are not the record that should be there."""


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """One member: sizes in bytes, `offset` of its local header, `mode` as stat has it, 0 if not known."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int

    @property
    def name(self) -> str:
        """The name as text: UTF-8, also where an archive fails to say so, else code page 437."""
        try:
            return self.raw_name.decode()
        except UnicodeDecodeError:
            if self.flags & UTF8_FLAG:
                return self.raw_name.decode(errors="surrogateescape")
            return self.raw_name.decode("cp437")


def read_entry(fixed: bytes, variable: bytes) -> ZipEntry:
    """An entry of the directory from its 46 bytes and what they announce; raises BadRecord."""
    (_, _, _, flags, method, _, _, crc, packed, size, name, extra, _, _, _, attributes, offset) = (
        ENTRY.unpack(fixed)
    )
    raw_name = variable[:name]
    entry = ZipEntry(raw_name, flags, method, crc, packed, size, offset, attributes >> 16)
    return _with_zip64(entry, variable[name : name + extra])


def variable_length(fixed: bytes) -> int:
    """Bytes of name, extra field and comment that follow the 46 of an entry; raises BadRecord."""
    if len(fixed) < ENTRY.size or not fixed.startswith(ENTRY_SIGNATURE):
        raise BadRecord
    name, extra, comment = struct.unpack_from("<3H", fixed, 28)
    return int(name + extra + comment)


def read_local(fixed: bytes, variable: bytes, offset: int) -> ZipEntry:
    """A local header as an entry; sizes are 0 where a descriptor after the data has them."""
    _, _, flags, method, _, _, crc, packed, size, name, extra = LOCAL.unpack(fixed)
    entry = ZipEntry(variable[:name], flags, method, crc, packed, size, offset, 0)
    return _with_zip64(entry, variable[name : name + extra])


def local_variable_length(fixed: bytes) -> int:
    """Bytes of name and extra field that follow the 30 of a local header; raises BadRecord."""
    if len(fixed) < LOCAL.size or not fixed.startswith(LOCAL_SIGNATURE):
        raise BadRecord
    name, extra = struct.unpack_from("<2H", fixed, 26)
    return int(name + extra)


def _with_zip64(entry: ZipEntry, extra: bytes) -> ZipEntry:
    """The entry with the numbers that its 32-bit fields leave to the extra field."""
    fields = (entry.size, entry.packed, entry.offset)
    missing = fields.count(_IN_EXTRA)
    if not missing:
        return entry
    values = list(_zip64_values(extra))
    if len(values) < missing:
        raise BadRecord
    size, packed, offset = (values.pop(0) if value == _IN_EXTRA else value for value in fields)
    return replace(entry, size=size, packed=packed, offset=offset)


def _zip64_values(extra: bytes) -> tuple[int, ...]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        body = extra[at + 4 : at + 4 + length]
        if kind == _ZIP64_EXTRA:
            return struct.unpack_from(f"<{min(len(body) // 8, 3)}Q", body)
        at += 4 + length
    return ()
