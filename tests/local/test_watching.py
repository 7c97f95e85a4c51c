"""Watching real folders."""

from contextlib import closing
from pathlib import Path

import pytest
from watchfiles import Change

from sightline_local import watching
from sightline_local.errors import WatchError
from sightline_local.watching import is_of_interest, watch_folders


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_QUIET_MS", "_LOOK_MS", "_POLL_MS"):
        monkeypatch.setattr(watching, name, 150)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        (folder / "below").mkdir(parents=True)
    return folders


@pytest.mark.parametrize("poll", [False, True])
def test_the_folder_that_changed_comes_up_and_no_other(folders: list[Path], poll: bool) -> None:
    one, two = folders
    with closing(watch_folders(folders, poll=poll)) as changes:
        assert next(changes) == folders
        (one / "notes.txt").touch()
        assert next(changes) == [one]
        # Given changes that come while nobody waits, and one that no sync could see
        (one / "notes.txt").write_text("more")
        (two / "below" / "a.jpg").write_bytes(b"x")
        (two / "below" / "a.jpg").rename(two / "below" / "b.jpg")
        assert next(changes) == [two]


def test_a_folder_that_another_one_takes_the_place_of_is_watched_in_its_stead(folders: list[Path]) -> None:
    one, _ = folders
    with closing(watch_folders(folders, poll=False)) as changes:
        next(changes)
        one.rename(one.with_name("away"))
        one.mkdir()
        assert next(changes) == folders
        (one / "a.jpg").write_bytes(b"x")
        assert next(changes) == [one]


def test_a_folder_that_is_gone_ends_it_with_a_sentence(folders: list[Path]) -> None:
    one, _ = folders
    with closing(watch_folders(folders, poll=False)) as changes:
        next(changes)
        one.rename(one.with_name("away"))
        with pytest.raises(WatchError, match=str(one)):
            next(changes)


@pytest.mark.parametrize(
    ("name", "change", "matters"),
    [
        ("a.jpg", Change.modified, True),
        ("below/A.JPG", Change.modified, True),
        ("catalog.db", Change.modified, False),
        ("below", Change.deleted, True),
        ("2024.05", Change.added, True),
        (".hidden/a.jpg", Change.added, False),
        (".a.jpg.part", Change.added, False),
        ("../elsewhere/a.jpg", Change.added, False),
    ],
)
def test_what_a_sync_could_see(name: str, change: Change, matters: bool) -> None:
    folder = Path("/photos/.cache/of")
    path = Path(f"/photos/.cache/elsewhere/{name}") if name.startswith("..") else folder / name
    assert is_of_interest(path, folder, change) is matters
