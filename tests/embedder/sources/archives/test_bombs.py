"""Archives that are small and want to be large: bounded by what really comes out, and named."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TypeAlias

import pytest
from archive_folder import Archives
from building_archives import (
    END_OF_TAR,
    FORMATS,
    RawEntry,
    deflated,
    directory_of,
    jpeg,
    local_header,
    raw_entry,
    tar_member,
    tar_of,
    tar_of_members,
    zip_of,
    zip_of_entries,
)

from sightline.errors import FailureReason
from sightline.settings import MIB

Compress: TypeAlias = Callable[[bytes], bytes]
UNSAFE = FailureReason.ARCHIVE_MEMBER_UNSAFE


@contextmanager
def bounded(*, seconds: float, memory_bytes: int) -> Iterator[None]:
    """Fails unless what is inside takes that little of the processor, and of memory as Python counts it."""
    tracemalloc.start()
    begun = time.process_time()
    try:
        yield
        elapsed, peak = time.process_time() - begun, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert elapsed < seconds
    assert peak < memory_bytes


def test_a_nested_bomb_is_not_opened(archives: Archives) -> None:
    # Five levels of sixteen, as 42.zip has them; all that is a picture is far over the limit.
    level = {"0.jpg": bytes(8 * MIB)}
    for depth in range(5):
        level = {f"lib {number:x}.zip": zip_of(level) for number in range(16)} | {f"{depth}.jpg": jpeg(depth)}
    bomb = zip_of(level | {"zeros.jpg": bytes(8 * MIB)})

    with bounded(seconds=10, memory_bytes=8 * MIB):
        outcome = archives.list(archives.add(bomb))

    assert outcome.error is None
    assert outcome.good == ["4.jpg"]
    assert outcome.refused == {"zeros.jpg": FailureReason.TOO_MANY_BYTES}


def test_members_that_quote_each_other_are_refused(archives: Archives) -> None:
    """Each member's data holds the local headers of those behind it as a stored deflate block."""
    kernel = deflated(bytes(900_000))
    crc = zlib.crc32(bytes(900_000))
    entries = [RawEntry(b"kernel.jpg", 0, len(kernel), 900_000, crc)]
    body = local_header(b"kernel.jpg", len(kernel), 900_000, crc) + kernel
    for number in range(100):
        name, last = b"%d.jpg" % number, entries[0]
        header = body[: 30 + len(last.name)]
        quote = b"\0" + struct.pack("<HH", len(header), 0xFFFF ^ len(header))
        packed, size = len(quote) + len(header) + last.packed, len(header) + last.size
        local = local_header(name, packed, size, 0)
        entries = [RawEntry(one.name, one.offset + len(local) + 5, *_rest(one)) for one in entries]
        entries.insert(0, RawEntry(name, 0, packed, size, 0))
        body = local + quote + body
    good, good_packed = raw_entry(b"good.jpg", jpeg(1))
    entries.append(RawEntry(b"good.jpg", len(body), good.packed, good.size, good.crc))
    body += local_header(b"good.jpg", good.packed, good.size, good.crc) + good_packed

    outcome = archives.list(archives.add(body + directory_of(entries, len(body))))

    assert outcome.error is None
    assert outcome.good == ["kernel.jpg", "good.jpg"]
    assert len(outcome.refused) == 100
    assert set(outcome.refused.values()) == {UNSAFE}


def _rest(entry: RawEntry) -> tuple[int, int, int]:
    return entry.packed, entry.size, entry.crc


def test_members_that_share_their_data_go_in_once(archives: Archives) -> None:
    data, packed = bytes(900_000), deflated(bytes(900_000))
    crc = zlib.crc32(data)
    body = local_header(b"same.jpg", len(packed), len(data), crc) + packed
    entries = [RawEntry(b"same.jpg", 0, len(packed), len(data), crc)] * 3000
    outcome = archives.list(archives.add(body + directory_of(entries, len(body))), members=3000)

    assert outcome.error is None
    assert outcome.good == ["same.jpg"]
    assert len(outcome.listed) == 3000
    assert outcome.refused == {"same.jpg": UNSAFE}


def test_an_extra_field_does_not_hide_an_overlap(archives: Archives) -> None:
    # By the directory the members lie side by side; by their local headers the first reaches further.
    first, first_packed = raw_entry(b"a.jpg", jpeg(1))
    second, second_packed = raw_entry(b"b.jpg", jpeg(2))
    local = local_header(b"a.jpg", first.packed, first.size, first.crc, extra=bytes(64))
    start = len(local) - 64 + first.packed
    body = bytearray(local + first_packed)
    body[start:] = local_header(b"b.jpg", second.packed, second.size, second.crc) + second_packed
    entries = [first, RawEntry(b"b.jpg", start, *_rest(second))]
    outcome = archives.list(archives.add(bytes(body) + directory_of(entries, len(body))))

    assert outcome.refused == {"a.jpg": UNSAFE}
    assert outcome.good == ["b.jpg"]


def test_zip_members_that_swell_are_refused_and_the_others_go_in(archives: Archives) -> None:
    zeros = [raw_entry(b"%02d.jpg" % number, bytes(MIB)) for number in range(10)]
    bomb = zip_of_entries([raw_entry(b"before.jpg", jpeg(1)), *zeros, raw_entry(b"after.jpg", jpeg(2))])
    outcome = archives.list(archives.add(bomb), ratio_free_bytes=4 * MIB)

    assert outcome.error is None
    assert outcome.good[0] == "before.jpg"
    assert outcome.good[-1] == "after.jpg"
    assert 4 <= len(outcome.good) - 2 <= 6
    assert outcome.refused == {f"{number:02}.jpg": UNSAFE for number in range(len(outcome.good) - 2, 10)}


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_tar_that_swells_ends_there(archives: Archives, compress: Compress) -> None:
    members = [tar_member("before.jpg", jpeg(1)), tar_member("log", bytes(30 * MIB))]
    bomb = compress(tar_of_members([*members, tar_member("after.jpg", jpeg(2))]))
    with bounded(seconds=10, memory_bytes=16 * MIB):
        outcome = archives.list(archives.add(bomb), ratio_free_bytes=4 * MIB)

    assert outcome.good == ["before.jpg"]
    assert outcome.code == "archive_too_large"
    assert "200 times" in str(outcome.error)
    assert archives.list(archives.add(bomb)).good == ["before.jpg", "after.jpg"]


@pytest.mark.parametrize("form", ["stored-zip", "tar", "tar.gz"])
def test_no_more_is_unpacked_than_allowed(archives: Archives, form: str) -> None:
    files = {f"{number}.jpg": Random(number).randbytes(100_000) for number in range(10)}
    outcome = archives.list(archives.add(FORMATS[form](files)), unpacked_bytes=500_000)

    assert outcome.code == "archive_too_large"
    assert "SIGHTLINE_ARCHIVE_MAX_BYTES" in str(outcome.error)
    assert outcome.good == [f"{number}.jpg" for number in range(len(outcome.good))]
    assert len(outcome.good) == (5 if form != "tar.gz" else 4)


@pytest.mark.parametrize("form", ["zip", "stored-zip", "tar", "tar.gz"])
def test_pictures_over_the_limit_are_refused_without_being_read(archives: Archives, form: str) -> None:
    files = {"small.jpg": jpeg(1), "large.jpg": bytes(MIB + 1), "last.jpg": bytes(MIB)}
    outcome = archives.list(archives.add(FORMATS[form](files)))

    assert outcome.refused == {"large.jpg": FailureReason.TOO_MANY_BYTES}
    assert outcome.good == ["small.jpg", "last.jpg"]


def test_a_member_that_holds_more_than_it_says_is_refused(archives: Archives) -> None:
    data = jpeg(1)
    members = [
        raw_entry(b"more.jpg", bytes(20 * MIB), size=1000),
        raw_entry(b"less.jpg", data, size=len(data) + 1),
        raw_entry(b"stored.jpg", data, method=0),
        raw_entry(b"good.jpg", data),
    ]
    with bounded(seconds=5, memory_bytes=4 * MIB):
        outcome = archives.list(archives.add(zip_of_entries(members)))

    assert outcome.good == ["good.jpg"]
    assert outcome.refused["more.jpg"] is UNSAFE
    assert outcome.refused.keys() == {"more.jpg", "less.jpg", "stored.jpg"}


def test_sizes_that_no_file_has_are_no_reason_to_fail(archives: Archives) -> None:
    info, _ = tar_member("huge.jpg", size=2**60)
    data = tar_of_members([tar_member("a.jpg", jpeg(1)), (info, b"")])
    for form in (data, gzip.compress(data)):
        outcome = archives.list(archives.add(form))
        assert outcome.good == ["a.jpg"]
        assert outcome.refused == {"huge.jpg": FailureReason.TOO_MANY_BYTES}
        assert outcome.code == "archive_damaged"

    for impossible in (2**70, -512):
        info.size = impossible
        for info.type in (tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE):
            outcome = archives.list(archives.add(tar_of_members([(info, bytes(5000))])))
            assert outcome.code in ("archive_damaged", "archive_too_large")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_names_without_end_are_not_read(archives: Archives, kind: bytes) -> None:
    members = [tar_member("a.jpg", jpeg(1)), tar_member("x", bytes(40 * MIB), type=kind)]
    path = archives.add(gzip.compress(tar_of_members(members)))
    with bounded(seconds=5, memory_bytes=8 * MIB):
        outcome = archives.list(path)

    assert outcome.good == ["a.jpg"]
    assert outcome.code == "archive_too_large"


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK]
)
def test_empty_headers_without_end_are_not_read(archives: Archives, kind: bytes) -> None:
    chain = [tar_member("x", type=kind)] * 2100
    members = [tar_member("a.jpg", jpeg(1)), *chain, tar_member("b.jpg", jpeg(2))]
    outcome = archives.list(archives.add(tar_of_members(members)))

    assert (outcome.good, outcome.code) == (["a.jpg"], "archive_too_large")


def test_attributes_of_many_headers_are_those_of_one_member(archives: Archives) -> None:
    def attributes(begin: int) -> tuple[tarfile.TarInfo, bytes]:
        records = b"".join(b"11 %06x=\n" % number for number in range(begin, begin + 60_000))
        return tar_member("x", records, type=tarfile.XHDTYPE)

    some = [attributes(60_000 * number) for number in range(4)]
    apart = [one for number in range(2) for one in (some[number], tar_member(f"{number}.jpg", jpeg(number)))]
    path = archives.add(gzip.compress(tar_of_members([*apart, *some, tar_member("bomb.jpg", jpeg(9))])))
    with bounded(seconds=10, memory_bytes=8 * MIB):
        outcome = archives.list(path)

    assert outcome.good == ["0.jpg", "1.jpg"], "each of them has no more than a member may have"
    assert outcome.code == "archive_too_large"


def test_a_chain_of_headers_without_a_member_is_no_recursion(archives: Archives) -> None:
    chain = [tar_member("x", b"long\0", type=tarfile.GNUTYPE_LONGNAME)] * 2000
    outcome = archives.list(archives.add(tar_of_members([*chain, tar_member("a.jpg", jpeg(1))])))

    assert outcome.error is None


def test_xz_that_wants_too_much_memory_is_refused(archives: Archives) -> None:
    # The header of the block says how large a dictionary it wants.
    data = bytearray(lzma.compress(tar_of({"a.jpg": jpeg(1)})))
    size = (data[12] + 1) * 4
    block = data[12 : 12 + size - 4]
    at = block.index(b"\x21\x01") + 2
    block[at] = 40  # 4 GiB - 1
    data[12 : 12 + size] = bytes(block) + struct.pack("<L", zlib.crc32(bytes(block)))
    outcome = archives.list(archives.add(bytes(data)))

    assert (outcome.good, outcome.code) == ([], "archive_too_large")
    assert "memory" in str(outcome.error)


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_more_members_than_allowed_are_refused(archives: Archives, form: str) -> None:
    files = {f"{number}.jpg": b"" for number in range(101)}
    data = zip_of(files) if form == "zip" else tar_of(files)
    outcome = archives.list(archives.add(data), members=100)

    assert outcome.code == "archive_too_large"
    assert "SIGHTLINE_ARCHIVE_MAX_MEMBERS" in str(outcome.error)
    assert len(outcome.listed) == (0 if form == "zip" else 100)
    assert archives.list(archives.add(data), members=101).error is None


def test_a_directory_of_long_names_is_refused(archives: Archives) -> None:
    members = [raw_entry(b"%05d" % number + b"n" * 60_000, b"") for number in range(40)]
    outcome = archives.list(archives.add(zip_of_entries(members)), members=100)

    assert (outcome.listed, outcome.code) == ([], "archive_too_large")


MANY = 15_000


def test_many_empty_zip_members_take_little_memory(archives: Archives) -> None:
    path = archives.root / "many.zip"
    _write_many_empty(path, MANY)

    with bounded(seconds=30, memory_bytes=64 * MANY):
        seen = sum(1 for _ in archives.listing(path, members=MANY).list(None))

    assert seen == MANY // 1000


def _write_many_empty(path: Path, count: int) -> None:
    """Empty members, every thousandth with a picture's name, in a zip64 archive."""
    local = struct.Struct("<4s5H3L2H")
    entry = struct.Struct("<4s6H3L5H2L")
    names = [b"%07d%s" % (number, b".jpg" if number % 1000 == 0 else b".bin") for number in range(count)]
    with path.open("wb") as file:
        for name in names:
            file.write(local.pack(b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0) + name)
        start = file.tell()
        for number, name in enumerate(names):
            fixed = entry.pack(
                b"PK\x01\x02",
                20,
                20,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                len(name),
                0,
                0,
                0,
                0,
                0,
                number * (30 + len(name)),
            )
            file.write(fixed + name)
        end = file.tell()
        file.write(
            struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, end - start, start)
        )
        file.write(struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1))
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0))


def test_many_empty_tar_members_take_little_memory(archives: Archives) -> None:
    block = tarfile.TarInfo("x.jpg").tobuf(tarfile.USTAR_FORMAT)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as stream:
        stream.write(block * MANY)
        stream.write(END_OF_TAR)
    path = archives.add(packed.getvalue())

    with bounded(seconds=30, memory_bytes=64 * MANY):
        seen = sum(1 for _ in archives.listing(path, members=MANY).list(None))

    assert seen == MANY


def test_zip_is_read_as_the_standard_library_reads_it(archives: Archives) -> None:
    """Members beyond 4 GiB have their numbers in extra fields; a small archive may have them too."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(zipfile.ZipInfo("a.jpg"), "w", force_zip64=True) as member,
    ):
        member.write(jpeg(1))
    assert archives.list(archives.add(stream.getvalue())).good == ["a.jpg"]
