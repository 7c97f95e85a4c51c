"""Listing folders: complete, in one order, and resumable wherever it stopped."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.file_uri import path_of
from sightline_embedder.errors import SourceError
from sightline_embedder.sources.folder import FolderListing


def make(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def listed(folder: Path, *, after: str | None = None, recursive: bool = True) -> list[str]:
    listing = FolderListing(folder, recursive=recursive, roots=[folder])
    return [str(path_of(one.ref.uri).relative_to(folder)) for one in listing.list(after)]


def test_lists_pictures_below_the_folder_by_suffix(tmp_path: Path) -> None:
    make(tmp_path, ["b.JPG", "a/c.png", "a/notes.txt", "raw.cr2", ".hidden.jpg", ".git/x.jpg", "Z.heic"])

    assert listed(tmp_path) == ["Z.heic", "a/c.png", "b.JPG", "raw.cr2"]
    assert listed(tmp_path, recursive=False) == ["Z.heic", "b.JPG", "raw.cr2"]


def test_names_of_any_bytes_come_back_as_they_were(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 %20 #?.jpg")
    make(tmp_path, [name, "日本.jpg"])

    assert sorted(listed(tmp_path)) == sorted([name, "日本.jpg"])


def test_folder_outside_the_roots_is_refused(tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    listing = FolderListing(tmp_path, recursive=True, roots=[tmp_path / "allowed"])

    with pytest.raises(SourceError, match="SIGHTLINE_IMPORT_ROOTS"):
        list(listing.list(None))


def test_missing_folder_is_a_fault_of_the_source(tmp_path: Path) -> None:
    listing = FolderListing(tmp_path / "gone", recursive=True, roots=[tmp_path])

    with pytest.raises(SourceError, match="No such file"):
        list(listing.list(None))


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path, ["a/one.jpg"])
    (tmp_path / "a" / "loop").symlink_to(tmp_path)

    assert listed(tmp_path) == ["a/one.jpg"]


NAMES = st.text(alphabet="ab.-_é0", min_size=1, max_size=3).filter(lambda name: not name.startswith("."))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: "/".join([*parts[:-1], parts[-1] + ".jpg"]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paths=st.sets(PATHS, min_size=1, max_size=12), gone=st.integers(min_value=0))
def test_listing_resumes_after_any_file_even_one_that_is_gone(
    tmp_path_factory: pytest.TempPathFactory, paths: set[str], gone: int
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    for path in paths:
        if not any((folder / path).is_relative_to(folder / other) for other in paths if other != path):
            make(folder, [path])
    listing = FolderListing(folder, recursive=True, roots=[folder])
    whole = [one.cursor for one in listing.list(None)]

    for place, cursor in enumerate(whole):
        assert [one.cursor for one in listing.list(cursor)] == whole[place + 1 :]

    removed = whole[gone % len(whole)]
    path_of(removed).unlink()
    place = whole.index(removed)
    assert [one.cursor for one in listing.list(removed)] == whole[place + 1 :]
