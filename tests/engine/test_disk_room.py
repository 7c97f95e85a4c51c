"""Room on disks is judged alike wherever it is needed, and the sentence says all that was counted."""

import shutil
from pathlib import Path

import pytest

from sightline.disk_room import check_disk_room, check_room
from sightline.errors import StorageFull
from sightline.media import FolderMediaStore

FREE = 1_073_741_900
MIN_FREE = 1 << 30


@pytest.fixture(autouse=True)
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=FREE))


def test_what_should_come_in_is_in_the_sentence(tmp_path: Path) -> None:
    counted = "1,073,741,900 bytes are free, 77 should come in, and 1,073,741,824 must stay free"
    with pytest.raises(StorageFull, match=f"The media store has no room left: {counted}"):
        check_room(FolderMediaStore(tmp_path), MIN_FREE, 77)
    with pytest.raises(StorageFull, match=f"The folder has no room left: {counted}.*disk of {tmp_path}"):
        check_disk_room("The folder", tmp_path, MIN_FREE, 77)


def test_where_too_little_is_free_already_nothing_needs_to_come_in(tmp_path: Path) -> None:
    counted = "1,073,741,900 bytes are free, and 2,147,483,648 must stay free"
    with pytest.raises(StorageFull, match=counted):
        check_room(FolderMediaStore(tmp_path), 2 * MIN_FREE)
    with pytest.raises(StorageFull, match=counted):
        check_disk_room("The folder", tmp_path, 2 * MIN_FREE)


def test_all_the_room_that_there_is_may_be_taken(tmp_path: Path) -> None:
    check_room(FolderMediaStore(tmp_path), MIN_FREE, FREE - MIN_FREE)
    check_disk_room("The folder", tmp_path, MIN_FREE, FREE - MIN_FREE)
