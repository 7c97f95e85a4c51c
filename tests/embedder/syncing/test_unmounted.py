"""A sync that an embedder goes on with which has not the folder's disk: nothing is taken for deleted."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from embedder_by_hand import COLLECTION, Embedder, counts
from worked_folder import fill, id_of, write

from sightline.queue.jobs import JobState
from sightline.queue.sync_state import SyncState

Unmount: TypeAlias = Callable[[Path], Path]


def remove(folder: Path) -> Path:
    """Take the folder away; where it is now."""
    return folder.rename(folder.with_name("away"))


def empty(folder: Path) -> Path:
    """Leave the place where a disk was mounted, with the folders that somebody made there."""
    away = remove(folder)
    (folder / "below").mkdir(parents=True)
    (folder / "notes.txt").write_text("Mount the disk here.")
    return away


def mount(away: Path, folder: Path) -> None:
    if folder.exists():
        folder.rename(folder.with_name("place"))
    away.rename(folder)


UNMOUNTED = pytest.mark.parametrize(
    ("unmount", "code"), [(remove, "folder_unreadable"), (empty, "folder_empty")], ids=["gone", "empty"]
)


@UNMOUNTED
def test_a_sweep_without_the_folder_removes_nothing(
    embedder: Embedder, folder: Path, unmount: Unmount, code: str
) -> None:
    fill(folder, range(5))
    embedder.run(folder)
    before = embedder.sources()
    (folder / "1.bmp").unlink()
    write(folder / "new.bmp", 7)
    job_id, planner = embedder.start(folder, sync=True), embedder.planner()
    planner.plan(job_id)
    (batch_id,) = embedder.ledger.pending_batches(job_id)
    embedder.finish(embedder.ledger.job(job_id), batch_id, embedder.indexer())

    away = unmount(folder)
    # All is listed by now, and the sweep waited for the batch.
    planner.plan(job_id)

    job = embedder.ledger.job(job_id)
    assert (job.state, job.error.code if job.error else None) == (JobState.FAILED, code)
    assert embedder.sources() == before | {id_of(7): {"new.bmp"}}
    mount(away, folder)
    assert counts(embedder.run(folder)) == (5, 0, 5, 0)
    assert id_of(1) not in embedder.sources()


@UNMOUNTED
def test_a_scan_without_the_folder_notes_nothing_as_gone(
    embedder: Embedder, folder: Path, unmount: Unmount, code: str
) -> None:
    fill(folder, range(5))
    embedder.run(folder)

    unmount(folder)
    job = embedder.run(folder)

    assert (job.error.code if job.error else None) == code
    assert SyncState(embedder.redis, COLLECTION, str(folder)).departures(0, 100) == (0, [])
