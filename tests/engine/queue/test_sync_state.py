"""The state of folder syncs in a real Redis."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from sightline.queue.sync_state import Departure, FileStamp, FileState, Settlement, SyncState, synced_folders

ONE, OTHER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
URI = "file:///photos/a%20b.jpg"
STAMP = FileStamp(10, 1_700_000_000_123_456_789)


@pytest.fixture
def state(redis: Redis) -> SyncState:
    return SyncState(redis, "images", "/photos")


def all_files(state: SyncState) -> dict[str, FileState]:
    found: dict[str, FileState] = {}
    cursor = -1
    while cursor:
        cursor, page = state.scan(max(cursor, 0), 100)
        found |= page
    return found


def all_departures(state: SyncState) -> list[Departure]:
    found: list[Departure] = []
    cursor = -1
    while cursor:
        cursor, page = state.departures(max(cursor, 0), 100)
        found += page
    return found


def test_files_come_back_as_they_were_recorded(state: SyncState, redis: Redis) -> None:
    files = {
        f"file:///photos/{number}.jpg": FileState(ONE, FileStamp(number, number)) for number in range(700)
    }
    files[URI] = FileState(OTHER, STAMP)
    files["file:///photos/unread.jpg"] = FileState(OTHER)
    state.record(files)

    assert state.known([URI, "file:///photos/unread.jpg", "file:///nowhere"]) == [
        FileState(OTHER, STAMP),
        FileState(OTHER),
        None,
    ]
    assert state.known([]) == []
    assert all_files(state) == files
    assert state.count() == len(files)
    assert all_departures(state) == []
    for elsewhere in (SyncState(redis, "images", "/photos/b"), SyncState(redis, "other", "/photos")):
        assert elsewhere.count() == 0


def test_a_file_that_holds_another_picture_departs_from_the_first(state: SyncState) -> None:
    state.record({URI: FileState(ONE, STAMP)})
    state.record({URI: FileState(ONE)})
    assert all_departures(state) == []
    state.record({URI: FileState(OTHER, STAMP)})
    assert all_departures(state) == [Departure(ONE, URI)]
    assert state.known([URI]) == [FileState(OTHER, STAMP)]


def test_whoever_records_last_leaves_no_point_behind(state: SyncState) -> None:
    points = [f"00000000-0000-4000-8000-{number:012}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda point: state.record({URI: FileState(point, STAMP)}), points))

    (last,) = state.known([URI])
    assert last is not None
    assert {one.point_id for one in all_departures(state)} == set(points) - {last.point_id}


def test_seeding_changes_nothing_that_is_known(state: SyncState) -> None:
    assert state.begin()
    state.record({URI: FileState(ONE, STAMP)})
    state.seed([Departure(ONE, URI), Departure(OTHER, "file:///photos/c.jpg")])
    assert all_departures(state) == []
    assert state.known([URI, "file:///photos/c.jpg"]) == [FileState(ONE, STAMP), FileState(OTHER)]

    state.seed([Departure(OTHER, URI)])
    assert all_departures(state) == [Departure(OTHER, URI)]


def test_a_folder_is_seeded_once(state: SyncState, redis: Redis) -> None:
    assert synced_folders(redis, "images") == []
    assert state.begin()
    assert state.begin()
    assert synced_folders(redis, "images") == ["/photos"]
    state.set_seeded()
    assert not state.begin()
    assert synced_folders(redis, "other") == []


def test_a_settlement_holds_only_for_the_state_it_was_made_in(state: SyncState) -> None:
    departure, held = Departure(ONE, URI), FileState(ONE, STAMP)
    state.record({URI: held})
    state.depart([departure])

    state.settle([Settlement(departure, held=FileState(ONE), forget=True)])
    assert (all_departures(state), state.known([URI])) == ([departure], [held])
    state.settle([Settlement(departure, held=held)])
    assert (all_departures(state), state.known([URI])) == ([], [held])

    state.depart([departure])
    state.settle([Settlement(departure, held=held, forget=True)])
    assert (all_departures(state), state.known([URI])) == ([], [None])
    state.depart([departure])
    state.settle([Settlement(departure)])
    assert all_departures(state) == []


@pytest.mark.parametrize(
    ("age_ns", "mtime_ns", "tells"),
    [
        (0, 1_700_000_000_123_456_789, False),
        (10_000_000, 1_700_000_000_123_456_789, False),
        (-1_000_000, 1_700_000_000_123_456_789, False),
        (50_000_000, 1_700_000_000_123_456_789, True),
        (50_000_000, 1_700_000_000_000_000_000, False),
        (3_000_000_000, 1_700_000_000_000_000_000, True),
        (-3_600_000_000_000, 1_700_000_000_123_456_789, True),
    ],
)
def test_a_file_changed_an_instant_ago_may_change_unseen(age_ns: int, mtime_ns: int, tells: bool) -> None:
    assert FileStamp(1, mtime_ns).tells(mtime_ns + age_ns) is tells


def test_a_stamp_is_size_and_time(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"four")
    os.utime(file, ns=(1, STAMP.mtime_ns))
    assert FileStamp.of(file.stat()) == FileStamp(4, STAMP.mtime_ns)
