"""Archives that are cut off or changed on the way: what lies before is listed, and the job says so."""

import bz2
import gzip
import lzma
import struct
import warnings
from collections.abc import Callable
from random import Random

import pytest
from archive_folder import Archives
from building_archives import (
    FORMATS,
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
from sightline.identity import sha256_of

FILES = {f"{number}.jpg": jpeg(number, 24) for number in range(6)}
ENDINGS = {None, "archive_damaged", "archive_unsupported", "archive_too_large"}


@pytest.mark.parametrize("form", FORMATS)
def test_members_before_the_cut_are_listed_wherever_it_is(archives: Archives, form: str) -> None:
    whole = FORMATS[form](FILES)
    most = 0
    for length in range(0, len(whole) - 1, max(1, len(whole) // 16)):
        outcome = archives.list(archives.add(whole[:length]))
        assert outcome.good == list(FILES)[: len(outcome.good)]
        assert outcome.code in ENDINGS
        if outcome.error is None:
            # Only what follows the end mark of a tar is of no interest.
            assert "tar" in form
            assert outcome.good == list(FILES)
        most = max(most, len(outcome.good))
    # bzip2 gives nothing of a block that is not whole, and here is one.
    assert most == len(FILES) or form == "tar.bz2"


@pytest.mark.parametrize("form", ["zip", "stored-zip", "streamed-zip"])
def test_a_zip_without_its_directory_is_read_from_the_front(archives: Archives, form: str) -> None:
    whole = FORMATS[form](FILES)
    directory = whole.index(b"PK\x01\x02")
    half = whole.index(b"3.jpg") + 200

    at_directory = archives.list(archives.add(whole[:directory]))
    at_half = archives.list(archives.add(whole[:half]))

    assert (at_directory.good, at_directory.code) == (list(FILES), "archive_damaged")
    assert (at_half.good, at_half.code) == (["0.jpg", "1.jpg", "2.jpg"], "archive_damaged")
    assert at_half.refused == {"3.jpg": FailureReason.TRUNCATED}
    assert [archives.bytes_of(one) for one in at_directory.listed] == list(FILES.values())
    rest = archives.list(archives.add(whole[:directory]), after=at_directory.listed[2].cursor)
    assert rest.listed == at_directory.listed[3:]


@pytest.mark.parametrize("signature", [b"PK\x07\x08", b""])
@pytest.mark.parametrize("numbers", ["<3L", "<LQQ"])
def test_lengths_before_and_behind_the_content_are_passed_over(
    archives: Archives, signature: bytes, numbers: str
) -> None:
    body = b""
    for name in FILES:
        entry, packed = raw_entry(name.encode(), FILES[name])
        body += local_header(entry.name, entry.packed, entry.size, entry.crc, flags=8) + packed
        body += signature + struct.pack(numbers, entry.crc, entry.packed, entry.size)

    assert archives.list(archives.add(body)).good == list(FILES)


def test_a_cut_off_zip_is_not_taken_for_one_that_is_in_it(archives: Archives) -> None:
    inner = zip_of({"inner.jpg": jpeg(9)})
    whole = FORMATS["stored-zip"]({"a.jpg": jpeg(1), "inner.zip": inner})
    outcome = archives.list(archives.add(whole[: whole.index(inner) + len(inner)]))

    assert (outcome.good, outcome.code) == (["a.jpg"], "archive_damaged")


def test_a_streamed_bomb_without_directory_is_bounded(archives: Archives) -> None:
    whole = FORMATS["streamed-zip"]({"a.jpg": jpeg(1), "zeros.bin": bytes(30 << 20), "b.jpg": jpeg(2)})
    path = archives.add(whole[: whole.index(b"PK\x01\x02")])

    bounded = archives.list(path, ratio_free_bytes=4 << 20)
    assert (bounded.good, bounded.code) == (["a.jpg"], "archive_too_large")
    allowed = archives.list(path)
    assert (allowed.good, allowed.code) == (["a.jpg", "b.jpg"], "archive_damaged")


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz", "streamed-zip"])
def test_the_member_that_is_cut_is_named(archives: Archives, form: str) -> None:
    big = Random(1).randbytes(400_000)
    whole = FORMATS[form]({"a.jpg": jpeg(1), "big.jpg": big, "c.jpg": jpeg(3)})
    outcome = archives.list(archives.add(whole[:200_000]))

    assert outcome.good == ["a.jpg"]
    assert outcome.refused == {"big.jpg": FailureReason.TRUNCATED}
    assert outcome.code == "archive_damaged"


def test_a_zip_member_with_a_wrong_checksum_is_refused_alone(archives: Archives) -> None:
    members = [
        raw_entry(b"a.jpg", jpeg(1)),
        raw_entry(b"crc.jpg", jpeg(2), crc=1),
        (raw_entry(b"bits.jpg", jpeg(3))[0], b"\xff" * raw_entry(b"", jpeg(3))[0].packed),
        raw_entry(b"short.jpg", jpeg(4)),
        raw_entry(b"z.jpg", jpeg(5)),
    ]
    entry, packed = members[3]
    members[3] = (
        entry.__class__(**{**entry.__dict__, "packed": len(packed) // 2}),
        packed[: len(packed) // 2],
    )
    outcome = archives.list(archives.add(zip_of_entries(members)))

    assert outcome.error is None
    assert outcome.good == ["a.jpg", "z.jpg"]
    assert outcome.refused == {
        "crc.jpg": FailureReason.NOT_AN_IMAGE,
        "bits.jpg": FailureReason.NOT_AN_IMAGE,
        "short.jpg": FailureReason.TRUNCATED,
    }


def test_a_damaged_directory_gives_what_lies_before_the_damage(archives: Archives) -> None:
    whole = bytearray(zip_of(FILES))
    entry = whole.rindex(b"3.jpg") - 46
    whole[entry : entry + 4] = b"PK\x09\x09"
    outcome = archives.list(archives.add(bytes(whole)))

    assert (outcome.good, outcome.code) == (["0.jpg", "1.jpg", "2.jpg"], "archive_damaged")


def test_a_tar_that_ends_between_two_members_is_not_taken_for_whole(archives: Archives) -> None:
    whole = tar_of_members([tar_member(name, data) for name, data in FILES.items()])
    outcome = archives.list(archives.add(whole[:-1024]))

    assert (outcome.good, outcome.code) == (list(FILES), "archive_damaged")
    assert "cut off" in str(outcome.error)
    assert archives.list(archives.add(whole[:-512])).error is None


@pytest.mark.parametrize("module", [gzip, bz2, lzma])
def test_compressed_streams_in_a_row_are_one_archive(archives: Archives, module) -> None:  # type: ignore[no-untyped-def]
    data = tar_of(FILES)
    parts = [module.compress(data[at : at + 1000]) for at in range(0, len(data), 1000)]

    for between, after in [(b"", b""), (bytes(4), bytes(1000)), (b"", b"garbage")]:
        outcome = archives.list(archives.add(between.join(parts) + after))
        assert (outcome.good, outcome.error) == (list(FILES), None)
    cut = archives.list(archives.add(b"".join(parts[:4]) + b"garbage" + b"".join(parts[4:])))
    assert cut.code == "archive_damaged"
    assert cut.good == list(FILES)[: len(cut.good)]


def test_headers_of_gzip_may_say_what_they_like(archives: Archives) -> None:
    data = gzip.compress(tar_of(FILES))
    named = data[:3] + b"\x08" + data[4:10] + b"../../evil\0" + data[10:]
    sized = data[:-4] + b"\0\0\0\0"

    assert archives.list(archives.add(named)).good == list(FILES)
    # The length stands behind the end of the tar archive.
    outcome = archives.list(archives.add(sized))
    assert (outcome.good, outcome.code) == (list(FILES), "archive_damaged")


@pytest.mark.parametrize("form", ["zip", "streamed-zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_changed_bytes_end_in_a_reason_and_never_in_other_bytes(
    make_archives: Callable[[], Archives], form: str
) -> None:
    archives, random = make_archives(), Random(f"damage of {form}")
    whole = FORMATS[form]({**FILES, "0.json": b'{"a": 1}', "deep/1.txt": b"words"})
    known = {sha256_of(data) for data in FILES.values()}
    for _ in range(40):
        changed = bytearray(whole)
        for _ in range(random.randint(1, 6)):
            at = random.randrange(len(changed))
            changed[at] = random.choice([0, 255, changed[at] ^ 1 << random.randrange(8)])
        if random.random() < 0.2:
            del changed[random.randrange(len(changed)) :]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            outcome = archives.list(archives.add(bytes(changed)))
        assert outcome.code in ENDINGS
        hashes = {one.ref.sha256 for one in outcome.listed if one.ref.sha256}
        # A plain tar has no checksums of what is in it, and others none before the end of a stream.
        assert hashes <= known or "tar" in form
