"""The index follows a folder: a real index, ledger and pipeline, against a model of what must be there."""

import gc
import time
from datetime import timedelta
from pathlib import Path

import pytest
from embedder_by_hand import COLLECTION, Embedder, counts
from worked_folder import fill, id_of, picture, touch, write

from sightline.decoder import Decoded
from sightline.errors import BadPicture, MediaNotFound
from sightline.queue.deletions import Deletions
from sightline.queue.jobs import JobState


def test_a_second_sync_reads_nothing(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(20))
    first = embedder.run(folder)
    assert (first.state, counts(first)) == (JobState.SUCCEEDED, (20, 20, 0, 0))
    assert len(embedder.opened) == 20

    second = embedder.run(folder)
    assert (second.state, counts(second)) == (JobState.SUCCEEDED, (20, 0, 20, 0))
    assert embedder.opened == []
    assert embedder.sources() == {id_of(number): {f"{number}.bmp"} for number in range(20)}


def test_add_change_touch_rename_and_delete(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(10))
    embedder.run(folder)
    embedder.index.set_payload(COLLECTION, id_of(2), {"tags": ["mine"]})

    write(folder / "1.bmp", 101)
    (folder / "2.bmp").rename(folder / "renamed.bmp")
    (folder / "3.bmp").unlink()
    touch(folder / "4.bmp")
    write(folder / "new.bmp", 102)
    job = embedder.run(folder)

    assert sorted(embedder.opened) == ["1.bmp", "4.bmp", "new.bmp", "renamed.bmp"]
    assert counts(job) == (10, 2, 8, 0)
    expected = {id_of(number): {f"{number}.bmp"} for number in (0, 4, 5, 6, 7, 8, 9)}
    expected |= {id_of(101): {"1.bmp"}, id_of(2): {"renamed.bmp"}, id_of(102): {"new.bmp"}}
    assert embedder.sources() == expected
    assert embedder.points()[id_of(2)].payload.tags == ("mine",)
    embedder.media.read_thumbnail(COLLECTION, id_of(2))
    for number in (1, 3):
        with pytest.raises(MediaNotFound):
            embedder.media.read_thumbnail(COLLECTION, id_of(number))

    embedder.run(folder)
    assert embedder.opened == []
    assert embedder.sources() == expected


def test_files_that_take_each_others_names_keep_their_points(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(10))
    embedder.run(folder)
    before = embedder.points()

    (folder / "9.bmp").unlink()
    for number in range(8, -1, -1):
        (folder / f"{number}.bmp").rename(folder / f"{number + 1}.bmp")
    job = embedder.run(folder)

    assert counts(job) == (9, 0, 9, 0)
    assert embedder.sources() == {id_of(number): {f"{number + 1}.bmp"} for number in range(9)}
    after = embedder.points()
    assert all(after[one].payload.indexed_at == before[one].payload.indexed_at for one in after)


def test_a_point_stays_while_it_has_another_source(embedder: Embedder, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(folder / "a.bmp", 1)
    write(folder / "copy.bmp", 1)
    write(folder / "b.bmp", 2)
    write(other / "b-too.bmp", 2)
    embedder.run(folder)
    embedder.run(other)

    (folder / "copy.bmp").unlink()
    (folder / "b.bmp").unlink()
    embedder.run(folder)
    assert embedder.sources() == {id_of(1): {"a.bmp"}, id_of(2): {"b-too.bmp"}}
    embedder.run(other)
    assert embedder.opened == []

    (other / "b-too.bmp").rename(other / "b-again.bmp")
    embedder.run(other)
    assert embedder.sources() == {id_of(1): {"a.bmp"}, id_of(2): {"b-again.bmp"}}


def test_whole_subfolders_may_move_and_go(embedder: Embedder, folder: Path) -> None:
    for number in range(8):
        write(folder / ("old" if number < 5 else "gone") / f"{number}.bmp", number)
    write(folder / "top.bmp", 20)
    embedder.run(folder)

    (folder / "old").rename(folder / "new")
    for file in (folder / "gone").iterdir():
        file.unlink()
    (folder / "gone").rmdir()
    job = embedder.run(folder)

    assert counts(job) == (6, 0, 6, 0)
    uris = {
        source.uri
        for point in embedder.points().values()
        for source in point.payload.sources.values()
    }  # fmt: skip
    assert uris == {file.as_uri() for file in folder.rglob("*.bmp")}
    assert len(embedder.points()) == 6


def test_what_failed_is_tried_again(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(4))
    embedder.run(folder)
    (folder / "1.bmp").write_bytes(b"no picture")
    touch(folder / "1.bmp")
    for _ in range(2):
        job = embedder.run(folder)
        assert (embedder.opened, counts(job)) == (["1.bmp"], (4, 0, 3, 1))
        # The picture that was there is not there any more.
        assert embedder.sources() == {id_of(number): {f"{number}.bmp"} for number in (0, 2, 3)}

    write(folder / "1.bmp", 1)
    assert counts(embedder.run(folder)) == (4, 1, 3, 0)
    (folder / "1.bmp").write_bytes(b"")
    (folder / "1.bmp").unlink()
    embedder.run(folder)
    assert set(embedder.sources()) == {id_of(number) for number in (0, 2, 3)}


def test_a_bad_picture_keeps_nothing_of_its_batch_in_memory(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(4))
    (folder / "2.bad.bmp").write_bytes(picture(5)[:100])
    gc.collect()
    gc.disable()
    try:
        job = embedder.run(folder)
        left = [one for one in map(type, gc.get_objects()) if one in (Decoded, BadPicture)]
    finally:
        gc.enable()

    assert (job.counts.indexed, job.counts.failed) == (4, 1)
    assert left == []


def test_a_file_that_changed_just_before_it_was_read_is_read_again(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(2))
    with embedder.before_reading("0.bmp", lambda: touch(folder / "0.bmp", whole_seconds=time.time())):
        embedder.run(folder)
    embedder.run(folder)
    assert embedder.opened == ["0.bmp"]

    touch(folder / "0.bmp")
    embedder.run(folder)
    embedder.run(folder)
    assert embedder.opened == []


def test_an_empty_folder_is_taken_for_a_disk_that_is_not_mounted(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(5))
    embedder.run(folder)
    before = embedder.sources()
    away = folder.rename(folder.with_name("unmounted"))
    folder.mkdir()

    job = embedder.run(folder)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "folder_empty"
    assert "5 of its pictures" in job.error.detail
    folder.rmdir()
    gone = embedder.run(folder)
    assert (gone.error.code if gone.error else None) == "folder_unreadable"
    assert embedder.sources() == before

    away.rename(folder)
    assert counts(embedder.run(folder)) == (5, 0, 5, 0)
    assert embedder.opened == []
    assert embedder.sources() == before


def test_an_empty_folder_that_never_held_anything_is_no_fault(embedder: Embedder, folder: Path) -> None:
    assert embedder.run(folder).state is JobState.SUCCEEDED


def test_what_cannot_be_seen_is_not_deleted(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(3))
    write(folder / "below" / "a.bmp", 10)
    embedder.run(folder)
    before = embedder.sources()
    away = (folder / "below").rename(folder.with_name("away"))
    (folder / "below").symlink_to(folder / "below")

    embedder.run(folder)
    assert embedder.sources() == before
    (folder / "below").unlink()
    away.rename(folder / "below")
    embedder.run(folder)
    assert (embedder.opened, embedder.sources()) == ([], before)


def test_without_its_state_a_sync_reads_all_and_encodes_nothing(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(9))
    embedder.run(folder)
    before = embedder.points()
    embedder.redis.flushall()
    (folder / "3.bmp").unlink()
    (folder / "4.bmp").rename(folder / "renamed.bmp")

    job = embedder.run(folder)
    assert counts(job) == (8, 0, 8, 0)
    assert len(embedder.opened) == 8
    after = embedder.points()
    assert after.keys() == before.keys() - {id_of(3)}
    assert all(after[one].payload.indexed_at == before[one].payload.indexed_at for one in after)
    assert embedder.sources()[id_of(4)] == {"renamed.bmp"}
    embedder.run(folder)
    assert embedder.opened == []


def test_a_first_sync_takes_over_what_was_indexed_before(
    embedder: Embedder, folder: Path, tmp_path: Path
) -> None:
    fill(folder, range(5))
    write(tmp_path / "photos2" / "50.bmp", 50)
    embedder.run(tmp_path / "photos2", sync=False)
    embedder.run(folder, sync=False)
    write(folder / "1.bmp", 101)
    embedder.run(folder, sync=False)
    assert embedder.sources()[id_of(1)] == embedder.sources()[id_of(101)] == {"1.bmp"}
    (folder / "2.bmp").unlink()
    (tmp_path / "photos2" / "50.bmp").unlink()

    embedder.run(folder)
    assert embedder.sources() == {
        id_of(0): {"0.bmp"},
        id_of(101): {"1.bmp"},
        id_of(3): {"3.bmp"},
        id_of(4): {"4.bmp"},
        id_of(50): {"50.bmp"},
    }


def test_a_sync_puts_right_what_other_jobs_did_since_the_last(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(4))
    embedder.run(folder)
    write(folder / "1.bmp", 101)
    write(folder / "new.bmp", 102)
    write(folder / "stays.bmp", 103)
    embedder.run(folder, sync=False)
    write(folder / "1.bmp", 104)
    (folder / "new.bmp").unlink()
    assert embedder.sources()[id_of(101)] == {"1.bmp"}

    embedder.run(folder)
    expected = {id_of(number): {f"{number}.bmp"} for number in (0, 2, 3)}
    assert embedder.sources() == expected | {id_of(104): {"1.bmp"}, id_of(103): {"stays.bmp"}}
    embedder.run(folder)
    assert embedder.opened == []


def test_a_point_that_somebody_deleted_comes_back(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(4))
    embedder.run(folder)
    Deletions(embedder.redis, timedelta(days=1)).record(COLLECTION, [id_of(1)])
    embedder.index.delete(COLLECTION, [id_of(1)])

    assert counts(embedder.run(folder)) == (4, 1, 3, 0)
    assert embedder.opened == ["1.bmp"]
    assert embedder.sources() == {id_of(number): {f"{number}.bmp"} for number in range(4)}


def test_other_jobs_change_nothing_in_the_state(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(4))
    embedder.run(folder, sync=False)
    assert list(embedder.redis.scan_iter("sightline:sync:*")) == []
