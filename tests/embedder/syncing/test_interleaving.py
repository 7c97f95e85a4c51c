"""Syncs beside other jobs, beside each other, and broken off: the index ends as the folder is."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from embedder_by_hand import COLLECTION, Embedder, counts
from worked_folder import Desk, fill, id_of, write

from sightline.index import VectorIndex
from sightline.queue.jobs import JobRequest, JobState
from sightline.queue.sources import FolderSource
from sightline_embedder.errors import PointsGone


class Interfering:
    """An index in which something happens just before a call."""

    def __init__(self, index: VectorIndex, call: str, happening: Any) -> None:
        self._index = index
        self._call = call
        self._happening = happening

    def __getattr__(self, name: str) -> Any:
        if name == self._call:
            self._happening()
        return getattr(self._index, name)


@pytest.mark.parametrize("call", ["add_sources", "set_payload"])
def test_a_batch_whose_point_goes_meanwhile_runs_again(
    embedder: Embedder, folder: Path, tmp_path: Path, call: str
) -> None:
    write(folder / "a.bmp", 1)
    write(folder / "rest.bmp", 2)
    write(tmp_path / "other" / "b.bmp", 1)
    embedder.run(folder)

    def lose_point() -> None:
        if call == "add_sources":
            (folder / "a.bmp").unlink()
            embedder.run(folder)
        else:
            embedder.index.delete(COLLECTION, [id_of(1)])

    source = FolderSource(path=str(tmp_path / "other"))
    request = JobRequest(collection=COLLECTION, source=source, metadata={"new": 1}, on_duplicate="update")
    job = embedder.ledger.create(request)
    embedder.planner().plan(job.id)
    batch = embedder.ledger.batch(job.id, "0")
    assert batch is not None
    index = cast(VectorIndex, Interfering(embedder.index, call, lose_point))
    with pytest.raises(PointsGone):
        embedder.indexer(index).run(job, batch)

    assert embedder.indexer().run(job, batch).indexed == 1
    assert embedder.sources()[id_of(1)] == {"b.bmp"}


def test_listing_waits_for_its_batches_before_anything_is_removed(embedder: Embedder, folder: Path) -> None:
    fill(folder, range(4))
    embedder.run(folder)
    (folder / "1.bmp").rename(folder / "renamed.bmp")
    job_id = embedder.start(folder, sync=True)
    for _ in range(3):
        embedder.planner().plan(job_id)
        assert embedder.sources()[id_of(1)] == {"1.bmp"}

    (batch_id,) = embedder.ledger.pending_batches(job_id)
    embedder.finish(embedder.ledger.job(job_id), batch_id, embedder.indexer())
    assert embedder.sources()[id_of(1)] == {"1.bmp", "renamed.bmp"}
    embedder.planner().plan(job_id)
    assert embedder.ledger.job(job_id).state is JobState.SUCCEEDED
    assert embedder.sources()[id_of(1)] == {"renamed.bmp"}


def test_pictures_that_leave_one_folder_while_they_come_in_from_another_stay(
    embedder: Embedder, folder: Path, tmp_path: Path
) -> None:
    write(folder / "rest.bmp", 1000)
    with ThreadPoolExecutor(2) as pool:
        for number in range(12):
            numbers = range(4 * number, 4 * number + 4)
            fill(folder, numbers)
            embedder.run(folder)
            for one in numbers:
                (folder / f"{one}.bmp").unlink()
                write(tmp_path / f"{number}" / f"{one}-too.bmp", one)
            leaving = pool.submit(embedder.run, folder)
            coming = pool.submit(embedder.run, tmp_path / f"{number}", sync=False)
            assert leaving.result().state is coming.result().state is JobState.SUCCEEDED

            found = embedder.sources()
            assert {one: found.get(id_of(one)) for one in numbers} == {
                one: {f"{one}-too.bmp"} for one in numbers
            }


def test_two_syncs_of_a_folder_at_once_end_as_one_does(embedder: Embedder, folder: Path) -> None:
    desk = Desk(folder, random.Random(7))
    with ThreadPoolExecutor(2) as pool:
        for _ in range(15):
            for _ in range(6):
                desk.work()
            for job in [pool.submit(embedder.run, folder) for _ in range(2)]:
                assert job.result().state is JobState.SUCCEEDED
            assert embedder.sources() == desk.expected()
    embedder.run(folder)
    assert embedder.opened == []


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 5))])
def test_after_any_changes_the_index_is_what_the_folder_is(
    embedder: Embedder, folder: Path, seed: int
) -> None:
    chance = random.Random(seed)
    desk = Desk(folder, chance)
    for _ in range(25):
        before = embedder.points()
        for _ in range(chance.randrange(8)):
            desk.work()
            if chance.random() < 0.1:
                embedder.run(folder, sync=False)

        job = embedder.run(folder, chance=chance)

        assert job.state is JobState.SUCCEEDED
        assert counts(job)[0] == len(desk.files)
        assert job.counts.pending == 0
        assert embedder.sources() == desk.expected()
        assert {Path(name).name for name in desk.read} == set(embedder.opened)
        after = embedder.points()
        kept = before.keys() & after.keys()
        assert all(after[one].payload.indexed_at == before[one].payload.indexed_at for one in kept)
        for one in after:
            embedder.media.read_thumbnail(COLLECTION, one)
        desk.read.clear()
