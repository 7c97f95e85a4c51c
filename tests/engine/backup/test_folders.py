"""Folders are copied whole, or the copy fails."""

import os
from pathlib import Path
from typing import Any

import pytest

from sightline.backup.folders import copy_files
from sightline.errors import Unavailable


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("images/originals/a", "images/thumbnails/b", ".unfinished/c"):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"12")
    return tmp_path / "source"


def test_files_are_copied_and_counted_without_unfinished_ones(source: Path, tmp_path: Path) -> None:
    assert copy_files(source, tmp_path / "target") == (2, 4)
    assert sorted(path.name for path in (tmp_path / "target").rglob("*") if path.is_file()) == ["a", "b"]


def test_what_was_never_there_is_empty(tmp_path: Path) -> None:
    assert copy_files(tmp_path / "nowhere", tmp_path / "target") == (0, 0)


def test_a_folder_on_another_disk_is_copied_too(source: Path, tmp_path: Path) -> None:
    (source / "images" / "originals").rename(tmp_path / "elsewhere")
    (source / "images" / "originals").symlink_to(tmp_path / "elsewhere")
    assert copy_files(source, tmp_path / "target") == (2, 4)


def test_a_folder_that_cannot_be_listed_is_not_passed_over(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_folder = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "originals":
            raise PermissionError(13, "Permission denied", str(path))
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(Unavailable, match="Permission denied"):
        copy_files(source, tmp_path / "target")
