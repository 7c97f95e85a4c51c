"""Good archives of every format: complete, lazy, in one order, and resumable after any picture."""

import gzip
import io
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

import pytest
from archive_folder import LIMITS, Archives, name_of, outcome_of
from building_archives import FORMATS, jpeg, png, tar_member, tar_of, tar_of_members, zip_of
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from sightline.errors import StorageFull
from sightline.identity import sha256_of
from sightline.queue.sources import ArchiveSource, SourceKind
from sightline.settings import Settings
from sightline_embedder.errors import SourceError
from sightline_embedder.sources.archives import ArchiveLimits, ArchiveListing, archive_place

LONG = "/".join(["a folder with a long name"] * 9) + "/é 日本 #1?.PNG"
FILES = {
    "a.jpg": jpeg(1),
    "b/c.JPEG": jpeg(2),
    "b/notes.md": b"not listed",
    "b/.hidden.jpg": jpeg(3),
    ".git/d.jpg": jpeg(4),
    "__MACOSX/b/._c.jpg": b"not listed",
    LONG: png(5),
    "raw.cr2": b"listed, so that it ends as unsupported_format",
    "nested.zip": zip_of({"inner.jpg": jpeg(6)}),
}
LISTED = ["a.jpg", "b/c.JPEG", LONG, "raw.cr2"]


@pytest.mark.parametrize("form", FORMATS)
def test_pictures_of_an_archive_are_copied_and_listed(archives: Archives, form: str) -> None:
    path = archives.add(FORMATS[form](FILES if form != "ustar" else {**FILES, LONG: b""}))

    outcome = archives.list(path)

    wanted = LISTED if form != "ustar" else [name for name in LISTED if name != LONG]
    good = [one for one in outcome.listed if one.ref.refused is None]
    assert outcome.error is None
    assert [archives.bytes_of(one) for one in good] == [FILES[name] for name in wanted]
    assert [one.ref.sha256 for one in good] == [sha256_of(FILES[name]) for name in wanted]
    assert {one.ref.kind for one in outcome.listed} == {SourceKind.ARCHIVE}
    assert outcome.listed[0].ref.uri == f"{path.as_uri()}#a.jpg"


def test_names_become_fragments_that_give_them_back(archives: Archives) -> None:
    path = archives.add(tar_of({"./" + LONG: png(1), os.fsdecode(b"caf\xe9.jpg"): jpeg(2)}))

    first, second = archives.list(path).listed

    assert unquote(name_of(first)) == LONG
    assert name_of(second) == "caf%E9.jpg"


def test_zip_names_are_utf8_or_else_code_page_437(archives: Archives) -> None:
    data = zip_of({"xxxxx.jpg": jpeg(1)})
    utf8 = archives.add(data.replace(b"xxxxx", "caféo".encode()[:5]), "utf8.zip")
    dos = archives.add(data.replace(b"xxxxx", b"caf\x82s"), "dos.zip")

    assert archives.list(utf8).good == ["caf%C3%A9.jpg"]
    assert archives.list(dos).good == ["caf%C3%A9s.jpg"]


def test_an_archive_without_pictures_lists_nothing(archives: Archives) -> None:
    for form, make in FORMATS.items():
        outcome = archives.list(archives.add(make({}), form))
        assert (outcome.listed, outcome.error) == ([], None), form
    assert archives.list(archives.add(bytes(10_240))).error is None


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_the_first_picture_is_listed_before_the_rest_is_read(archives: Archives, form: str) -> None:
    files = {f"{number}.jpg": os.urandom(300_000) for number in range(20)}
    listing = archives.listing(archives.add(FORMATS[form](files))).list(None)

    next(listing)

    originals = [path for path in (archives.folder / "media").rglob("*") if path.is_file()]
    listing.close()
    assert 1 <= len(originals) <= 2


@pytest.mark.parametrize("form", FORMATS)
def test_what_was_listed_before_is_not_copied_again(archives: Archives, form: str) -> None:
    path = archives.add(FORMATS[form]({f"{number}.jpg": jpeg(number) for number in range(6)}))
    whole = archives.list(path).listed
    archives.media.delete_collection("images")

    rest = archives.list(path, after=whole[3].cursor).listed

    assert rest == whole[4:]
    assert len([one for one in (archives.folder / "media").rglob("*") if one.is_file()]) == 2


BASES = st.sampled_from(["a.jpg", "a.json", "a.txt", "b.jpg", "b.left.jpg", "b.right.jpg", "c.md", ".d.jpg"])
NAMES = st.tuples(st.sampled_from(["", "x/", "../", "/"]), BASES).map("".join)
CONTENT = st.sampled_from([b"", b"{}", b'{"a": 1}', b"x" * 3000, b"y" * 2_000_000])
PASSED = st.lists(st.tuples(NAMES, CONTENT), max_size=40)


@example_settings(max_examples=15, deadline=None)
@given(form=st.sampled_from(["zip", "tar", "tar.gz"]), members=PASSED)
def test_listing_resumes_after_any_picture(
    make_archives: Callable[[], Archives], form: str, members: list[tuple[str, bytes]]
) -> None:
    archives = make_archives()
    path = archives.add(_with_duplicates(form, members))
    whole = archives.list(path)

    assert whole.error is None
    for place, one in enumerate(whole.listed):
        assert archives.list(path, after=one.cursor).listed == whole.listed[place + 1 :]


def _with_duplicates(form: str, members: list[tuple[str, bytes]]) -> bytes:
    """An archive in which names may come twice."""
    if form != "zip":
        data = tar_of_members(tar_member(name, content) for name, content in members)
        return gzip.compress(data) if form == "tar.gz" else data
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore", UserWarning)
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def test_an_archive_that_changed_is_not_gone_on_with(archives: Archives) -> None:
    files = {f"{number}.jpg": jpeg(number) for number in range(4)}
    path = archives.add(zip_of(files))
    cursor = archives.list(path).listed[1].cursor
    archives.add(zip_of({**files, "more.jpg": jpeg(9)}))

    assert archives.list(path, after=cursor).code == "archive_changed"


def test_only_archives_in_import_roots_are_opened(archives: Archives) -> None:
    outside = archives.folder / "outside.zip"
    outside.write_bytes(zip_of({"a.jpg": jpeg(1)}))
    link = archives.root / "link.zip"
    link.symlink_to(outside)
    os.mkfifo(archives.root / "pipe.zip")

    assert archives.list(outside).code == "path_not_allowed"
    assert archives.list(link).code == "path_not_allowed"
    assert archives.list(archives.root / "../outside.zip").code == "path_not_allowed"
    assert archives.list(archives.root / "gone.zip").code == "file_not_found"
    assert archives.list(archives.root / "pipe.zip").code == "file_unreadable"
    assert archives.list(archives.root).code == "file_unreadable"
    outside.unlink()
    with pytest.raises(SourceError, match="absolute"):
        archives.listing(Path("relative.zip"))


def test_a_file_that_is_no_archive_is_unsupported(archives: Archives) -> None:
    for name, data in {
        "empty": b"",
        "picture": jpeg(1),
        "text": b"hello " * 1000,
        "gzip of a picture": gzip.compress(jpeg(1)),
        "gzip of nothing": gzip.compress(b""),
        "7z": b"7z\xbc\xaf\x27\x1c" + bytes(1000),
        "zstd": b"\x28\xb5\x2f\xfd" + bytes(1000),
        "image of a disk": bytes(32_768) + b"CD001" + bytes(2_000_000),
        "zeros": bytes(2_000_000),
        "exe": b"MZ" + bytes(510) + zip_of({"a.jpg": jpeg(1)}),
    }.items():
        outcome = archives.list(archives.add(data))
        assert (outcome.listed, outcome.code) == ([], "archive_unsupported"), name


def test_an_archive_at_a_url_is_listed_under_its_url(archives: Archives) -> None:
    opened: list[str] = []

    @contextmanager
    def remote_files(url: str, /) -> Iterator[BinaryIO]:
        opened.append(url)
        yield io.BytesIO(zip_of({"a.jpg": jpeg(1)}))

    url = "https://example.test/photos.zip?version=1"
    place = archive_place(ArchiveSource(url=f"{url}#top"), [], remote_files)
    listing = ArchiveListing(place, collection="images", media=archives.media, limits=LIMITS)

    assert opened == []
    (one,) = listing.list(None)
    assert opened == [url]
    assert one.ref.uri == f"{url}#a.jpg"
    assert archives.bytes_of(one) == jpeg(1)


def test_a_place_that_fails_while_it_is_read_is_named(archives: Archives) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if 200_000 < self.tell() < 400_000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    @contextmanager
    def remote_files(url: str, /) -> Iterator[BinaryIO]:
        yield Failing(tar_of({f"{number}.jpg": os.urandom(50_000) for number in range(20)}))

    place = archive_place(ArchiveSource(url="https://example.test/a.tar"), [], remote_files)
    outcome = outcome_of(ArchiveListing(place, collection="images", media=archives.media, limits=LIMITS))

    assert outcome.code == "archive_unreadable"
    assert "a.tar cannot be read: Input/output error" in str(outcome.error)
    assert outcome.good


def test_formats_are_told_by_content(archives: Archives) -> None:
    files: Mapping[str, bytes] = {"a.jpg": jpeg(1)}
    for form, make in FORMATS.items():
        assert archives.list(archives.add(make(files), "misnamed.jpg")).good == ["a.jpg"], form


def test_a_disk_without_room_ends_listing_before_it_is_full(archives: Archives) -> None:
    path = archives.add(zip_of({"a.jpg": jpeg(1), "b.jpg": jpeg(2)}))
    first = next(archives.listing(path).list(None))

    with pytest.raises(StorageFull, match="SIGHTLINE_MIN_FREE_BYTES"):
        list(archives.listing(path, min_free_bytes=1 << 60).list(first.cursor))

    assert archives.list(path, after=first.cursor).good == ["b.jpg"]


def test_limits_come_from_the_settings() -> None:
    settings = Settings(max_picture_bytes=1, archive_max_members=2, archive_max_bytes=3, min_free_bytes=4)

    assert ArchiveLimits.of(settings) == ArchiveLimits(1, 2, 3, 4)
