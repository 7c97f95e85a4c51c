"""Import roots: nothing outside is opened, however paths change meanwhile."""

import os
from pathlib import Path
from typing import Any

import pytest

from sightline import roots
from sightline.errors import OutsideRoots
from sightline.roots import open_within


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "folder").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    for folder in ("root/folder", "outside"):
        (tmp_path / folder / "a.jpg").write_text(folder)
    return tmp_path / "root"


def test_what_is_inside_is_opened(root: Path) -> None:
    for path in (root / "folder" / "a.jpg", root / "folder" / ".." / "folder" / "a.jpg"):
        with os.fdopen(open_within(path, [root])) as file:
            assert file.read() == "root/folder"


def test_links_and_dots_lead_nowhere(root: Path) -> None:
    (root / "link").symlink_to(root.parent / "outside")
    for path in (root / "link" / "a.jpg", root / ".." / "outside" / "a.jpg"):
        with pytest.raises(OutsideRoots):
            open_within(path, [root])


def test_a_folder_that_becomes_a_link_after_it_was_looked_at_leads_nowhere(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open, opened = os.open, []

    def exchanged(path: Any, *flags: Any) -> int:
        (root / "folder").rename(root / "moved")
        (root / "folder").symlink_to(root.parent / "outside")
        opened.append(really_open(path, *flags))
        return opened[0]

    monkeypatch.setattr(roots.os, "open", exchanged)
    with pytest.raises(OutsideRoots):
        open_within(root / "folder" / "a.jpg", [root])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


def test_what_cannot_be_looked_at_again_is_closed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really_open, opened = os.open, []

    def noted(path: Any, *flags: Any) -> int:
        opened.append(really_open(path, *flags))
        return opened[0]

    def refused(_: Path) -> bool:
        raise PermissionError("/proc may not be read")

    monkeypatch.setattr(roots.os, "open", noted)
    monkeypatch.setattr(Path, "is_symlink", refused)
    with pytest.raises(PermissionError):
        open_within(root / "folder" / "a.jpg", [root])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])
