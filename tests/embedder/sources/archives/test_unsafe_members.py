"""Members that would lead elsewhere, or are no files: refused by name, and the others go in."""

import gzip
import stat
import tarfile
import zlib

import pytest
from archive_folder import Archives
from building_archives import (
    RawEntry,
    directory_of,
    jpeg,
    local_header,
    raw_entry,
    tar_member,
    tar_of,
    tar_of_members,
    zip_of_entries,
)

from sightline.errors import FailureReason

UNSAFE = FailureReason.ARCHIVE_MEMBER_UNSAFE
NAMES = {
    "../up.jpg": "with '..'",
    "a/../../up.jpg": "with '..'",
    "a/..": "with '..'",
    "/etc/cron.d/x.jpg": "absolute",
    "//host/share/x.jpg": "absolute",
    "C:/x.jpg": "drive",
    "c:x.jpg": "drive",
    "..\\..\\x.jpg": "backslash",
    "\\\\host\\x.jpg": "backslash",
    "x.jpg\0.txt": "NUL",
    "../authorized_keys": "with '..'",
    "n" * 5000 + ".jpg": "4,096",
}


def _zip(names: list[str]) -> bytes:
    return zip_of_entries([raw_entry(name.encode(), jpeg(number)) for number, name in enumerate(names)])


def _pax_tar(names: list[str]) -> bytes:
    """Every name in a pax record, the only one that can hold a NUL."""
    members = []
    for number, name in enumerate(names):
        members += [(_pax_header(b"path", name.encode())), tar_member(f"{number}", jpeg(number))]
    return tar_of_members(members)


def _pax_header(keyword: bytes, value: bytes) -> tuple[tarfile.TarInfo, bytes]:
    body = b" " + keyword + b"=" + value + b"\n"
    length = len(body)
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return tar_member("pax", str(length).encode() + body, type=tarfile.XHDTYPE)


@pytest.mark.parametrize("form", [_zip, _pax_tar, lambda names: gzip.compress(_pax_tar(names))])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:20])
def test_names_that_lead_elsewhere_are_refused(archives: Archives, form, name: str) -> None:  # type: ignore[no-untyped-def]
    outcome = archives.list(archives.add(form(["before.jpg", name, "after.jpg"])))

    assert outcome.error is None
    assert outcome.good == ["before.jpg", "after.jpg"]
    assert list(outcome.refused.values()) == [UNSAFE]
    refused = outcome.listed[1].ref.refused
    assert refused is not None
    assert NAMES[name] in refused.detail
    assert len(refused.detail) < 400
    outcome.listed[1].ref.model_dump_json()


def test_names_of_tar_headers_are_judged_too(archives: Archives) -> None:
    members = [
        tar_member("../up.jpg", jpeg(1)),
        tar_member("/abs.jpg", jpeg(2)),
        tar_member("good.jpg", jpeg(3)),
    ]
    outcome = archives.list(archives.add(tar_of_members(members)))

    assert outcome.good == ["good.jpg"]
    assert outcome.refused == {"../up.jpg": UNSAFE, "/abs.jpg": UNSAFE}


def test_links_and_devices_of_a_tar_are_refused(archives: Archives) -> None:
    members = [
        tar_member("soft.jpg", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        tar_member("dir", type=tarfile.SYMTYPE, linkname="/"),
        tar_member("dir/through.jpg", jpeg(1)),
        tar_member("hard.jpg", type=tarfile.LNKTYPE, linkname="../../secret.jpg"),
        tar_member("char.jpg", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
        tar_member("block.jpg", type=tarfile.BLKTYPE, devmajor=8),
        tar_member("pipe.jpg", type=tarfile.FIFOTYPE),
        # What says that it has no data must not hide members in it.
        tar_member("sized.jpg", type=tarfile.SYMTYPE, size=1024, linkname="x"),
        tar_member("hidden.jpg", jpeg(3)),
        tar_member(".git/link", type=tarfile.SYMTYPE, linkname="passed over"),
        tar_member("folder.jpg", type=tarfile.DIRTYPE),
        tar_member("good.jpg", jpeg(2)),
    ]
    outcome = archives.list(archives.add(tar_of_members(members)))

    assert outcome.error is None
    assert outcome.good == ["dir/through.jpg", "hidden.jpg", "good.jpg"]
    names = ["soft.jpg", "dir", "hard.jpg", "char.jpg", "block.jpg", "pipe.jpg", "sized.jpg"]
    assert outcome.refused == dict.fromkeys(names, UNSAFE)


def test_links_and_devices_of_a_zip_are_refused(archives: Archives) -> None:
    modes = {"link.jpg": stat.S_IFLNK, "pipe.jpg": stat.S_IFIFO, "char.jpg": stat.S_IFCHR}
    members = [raw_entry(name.encode(), b"/etc/passwd", mode=mode | 0o777) for name, mode in modes.items()]
    members += [
        raw_entry(b"folder.jpg", b"", mode=stat.S_IFDIR | 0o755),
        raw_entry(b"good.jpg", jpeg(1), mode=stat.S_IFREG | 0o644),
    ]
    outcome = archives.list(archives.add(zip_of_entries(members)))

    assert outcome.good == ["good.jpg"]
    assert outcome.refused == dict.fromkeys(modes, UNSAFE)


def test_unsafe_members_that_are_no_pictures_are_listed_up_to_a_number(archives: Archives) -> None:
    members = [tar_member(f"../{number}") for number in range(1500)]
    members += [tar_member("../picture.jpg"), tar_member("good.jpg", jpeg(1))]
    outcome = archives.list(archives.add(tar_of_members(members)), members=2000)

    assert len(outcome.refused) == 1001
    assert "../picture.jpg" in outcome.refused
    assert outcome.good == ["good.jpg"]


def test_what_cannot_be_unpacked_is_refused_with_its_reason(archives: Archives) -> None:
    members = [
        raw_entry(b"secret.jpg", jpeg(1), flags=1),
        raw_entry(b"deflate64.jpg", jpeg(1), method=9),
        raw_entry(b"bzip2.jpg", jpeg(1), method=12),
        raw_entry(b"lzma.jpg", jpeg(1), method=14),
        raw_entry(b"unknown.jpg", jpeg(1), method=77),
        raw_entry(b"good.jpg", jpeg(2)),
        raw_entry(b"good.json", b"{}", flags=1),
        raw_entry(b"empty.jpg", b""),
    ]
    outcome = archives.list(archives.add(zip_of_entries(members)))

    unsupported = FailureReason.UNSUPPORTED_FORMAT
    assert outcome.good == ["good.jpg"]
    assert outcome.refused == {
        "secret.jpg": FailureReason.ACCESS_DENIED,
        "deflate64.jpg": unsupported,
        "bzip2.jpg": unsupported,
        "lzma.jpg": unsupported,
        "unknown.jpg": unsupported,
        "empty.jpg": FailureReason.EMPTY,
    }
    details = [one.ref.refused.detail for one in outcome.listed if one.ref.refused]
    assert "deflate64" in details[1]


def test_a_local_header_that_says_something_else_is_not_believed(archives: Archives) -> None:
    data, packed = jpeg(1), raw_entry(b"x", jpeg(1))[1]
    size, crc = len(data), zlib.crc32(data)
    body, entries = bytearray(), []
    for directory, local, method in [
        (b"name.jpg", b"nome.jpg", 8),
        (b"method.jpg", b"method.jpg", 0),
        (b"good.jpg", b"good.jpg", 8),
    ]:
        entries.append(RawEntry(directory, len(body), len(packed), size, crc))
        body += local_header(local, len(packed), size, crc, method) + packed
    entries.append(RawEntry(b"nowhere.jpg", len(body), 10, 10, 0))
    body += bytes(100)
    entries.append(RawEntry(b"beyond.jpg", 0xFFFFFFF0, 10, 10, 0))
    outcome = archives.list(archives.add(bytes(body) + directory_of(entries, len(body))))

    assert outcome.good == ["good.jpg"]
    assert outcome.refused == dict.fromkeys(["name.jpg", "method.jpg", "nowhere.jpg", "beyond.jpg"], UNSAFE)


def test_sparse_files_are_refused(archives: Archives) -> None:
    pax = _pax_header(b"GNU.sparse.name", b"pax.jpg")
    old = tar_member("old.jpg", b"x" * 512, type=tarfile.GNUTYPE_SPARSE)
    body = bytearray(tar_of_members([old]))
    body[482] = 1  # one more block of the map
    body[148:156] = b"%06o\0 " % (sum(body[:148]) + sum(body[156:512]) + 8 * 32)
    mapped = bytes(body[:512]) + bytes(512) + bytes(body[512:1024])
    rest = tar_of_members([pax, tar_member("x", b"1\n0\n5\n" + bytes(506)), tar_member("good.jpg", jpeg(1))])
    outcome = archives.list(archives.add(mapped + rest))

    assert outcome.error is None
    assert outcome.good == ["good.jpg"]
    assert outcome.refused == dict.fromkeys(["old.jpg", "pax.jpg"], FailureReason.UNSUPPORTED_FORMAT)


def test_nothing_is_written_but_originals(archives: Archives) -> None:
    # The fixture looks; here is an archive that holds one of each kind.
    names = ["../evil.jpg", "/tmp/evil-archive.jpg", "a/../../evil.jpg", "fine/good.jpg"]
    archives.list(archives.add(_zip(names), "a.zip"))
    archives.list(archives.add(tar_of({name: jpeg(1) for name in names}), "a.tar"))

    originals = [path for path in (archives.folder / "media").rglob("*") if path.is_file()]
    assert len(originals) == 2
    assert all(len(path.name) == 64 for path in originals)
