"""Imports while something else goes on: deletions, migrations, deaths, sweeps of what was sent."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from example_migration import example_migration
from importing_by_hand import POINTS, code, imported

from sightline.index import CollectionSpec, Point
from sightline.payload import INDEXED_FIELDS, FirstIndexed
from sightline.portable.discarding import discard_stale
from sightline.queue.jobs import JobState
from sightline.queue.migration_records import MigrationState
from sightline.queue.sources import ExportTarget, PointsSource

MakePoints = Callable[[int], list[Point]]


class Died(BaseException):
    """What a kill is to whoever is killed."""


def test_what_is_deleted_meanwhile_stays_deleted(desk: Any, export: Path) -> None:
    gone = sorted(desk.points("here"))[:2]
    job = desk.start("there", PointsSource(path=str(export)))
    desk.deletions.record("there", gone)
    desk.planner().plan(job.id)
    ended = desk.ledger.job(job.id)
    assert (ended.counts.indexed, ended.counts.canceled) == (POINTS - 2, 2)
    assert not set(gone) & desk.points("there").keys()


def test_what_an_import_brings_back_is_deleted_no_more(desk: Any, export: Path) -> None:
    (back, gone, *_) = sorted(desk.points("here"))
    desk.deletions.record("there", [back])
    job = desk.start("there", PointsSource(path=str(export)))
    desk.deletions.record("there", [gone])
    desk.planner().plan(job.id)

    assert set(desk.points("there")) == set(desk.points("here")) - {gone}
    assert desk.deletions.times("there", [back, gone]).keys() == {gone}, "no older job takes it back"


def test_files_that_were_sent_long_ago_serve_an_import_to_its_end(desk: Any, export: Path) -> None:
    ours, other = (desk.places.upload(digit * 32) for digit in "ab")
    for folder in (ours, other):
        shutil.copytree(export, folder)
        os.utime(folder, (0, 0))

    job = desk.start("there", PointsSource(upload=ours.name))
    discard_stale(desk.places, desk.ledger)
    desk.planner().plan(job.id)

    ended = desk.ledger.job(job.id)
    assert (ended.state, ended.counts.indexed) == (JobState.SUCCEEDED, POINTS)
    assert [folder.exists() for folder in (ours, other)] == [False, False]


class DyingLedger:
    """A ledger of somebody who dies before, or after, the record that a cursor was reached."""

    def __init__(self, ledger: Any, reached: str, *, after: bool) -> None:
        self._ledger, self._reached, self._after = ledger, reached, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def plan_batch(self, job_id: str, batch: Any, cursor: str, **options: Any) -> bool:
        if cursor == self._reached and not self._after:
            raise Died
        done = self._ledger.plan_batch(job_id, batch, cursor, **options)
        if cursor == self._reached:
            raise Died
        return bool(done)


@pytest.mark.parametrize("after", [False, True])
def test_an_import_of_sent_files_succeeds_though_its_planner_dies_at_the_end(
    desk: Any, export: Path, after: bool
) -> None:
    sent = desk.places.upload("a" * 32)
    shutil.copytree(export, sent)
    job = desk.start("there", PointsSource(upload=sent.name))
    with pytest.raises(Died):
        desk.planner(DyingLedger(desk.ledger, "done", after=after)).plan(job.id)
    assert sent.exists()

    desk.planner().plan(job.id)

    ended = desk.ledger.job(job.id)
    assert (ended.state, ended.counts.indexed) == (JobState.SUCCEEDED, POINTS)
    assert not sent.exists()


@pytest.mark.parametrize("reached", ["0.4", "1.4", "2.4"])
@pytest.mark.parametrize("after", [False, True])
def test_an_import_counts_every_point_once_though_its_planner_dies(
    desk: Any, make_points: MakePoints, reached: str, after: bool
) -> None:
    desk.points_per_file = 4
    desk.fill("here", make_points(POINTS), INDEXED_FIELDS)
    desk.run("here", ExportTarget(path=str(desk.root / "out")))
    job = desk.start("there", PointsSource(path=str(desk.root / "out")))
    with pytest.raises(Died):
        desk.planner(DyingLedger(desk.ledger, reached, after=after)).plan(job.id)

    desk.planner().plan(job.id)

    ended = desk.ledger.job(job.id)
    assert (ended.state, ended.counts.indexed, ended.counts.unchanged) == (JobState.SUCCEEDED, POINTS, 0)
    assert desk.points("there").keys() == desk.points("here").keys()
    assert not desk.redis.keys("sightline:import:*"), "nothing is noted of what has ended"


@pytest.mark.parametrize("after", [False, True])
def test_an_import_that_is_canceled_leaves_no_page_that_it_did_not_count(
    desk: Any, make_points: MakePoints, after: bool
) -> None:
    desk.points_per_file = 4
    desk.fill("here", make_points(POINTS), INDEXED_FIELDS)
    desk.run("here", ExportTarget(path=str(desk.root / "out")))
    job = desk.start("there", PointsSource(path=str(desk.root / "out")))
    index = Meanwhile(desk.index, lambda: desk.ledger.stop(job.id), after=after)

    desk.planner(jobs=desk.jobs(index)).plan(job.id)

    ended = desk.ledger.job(job.id)
    assert (ended.state, ended.counts.indexed) == (JobState.CANCELED, 0)
    assert not desk.points("there")


def test_nothing_is_imported_beside_a_migration(desk: Any, export: Path) -> None:
    assert imported(desk, export).state is JobState.SUCCEEDED
    gone = next(iter(desk.points("there")))
    desk.index.delete("there", [gone])
    under_way = example_migration(collection="there", old="there.1", new="there.2")
    desk.migrations.start(under_way)

    assert code(imported(desk, export)) == "migration_under_way"
    assert gone not in desk.points("there")

    desk.migrations.move(under_way.id, MigrationState.ABORTING)
    desk.migrations.move(under_way.id, MigrationState.ABORTED)
    assert imported(desk, export).counts.indexed == 1


class Meanwhile:
    """An index with which something happens just before, or just after, points come in."""

    def __init__(self, index: Any, begin: Callable[[], Any], *, after: bool) -> None:
        self._index, self._begin, self._after = index, begin, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def insert(self, collection: str, points: list[Point]) -> None:
        if not self._after:
            self._begin()
        self._index.insert(collection, points)
        if self._after:
            self._begin()


@pytest.mark.parametrize(("after", "dies"), [(False, False), (True, False), (True, True)])
def test_an_import_that_a_migration_overtakes_leaves_nothing_in_one_version_alone(
    desk: Any, export: Path, after: bool, dies: bool
) -> None:
    points = desk.points("here")
    mine = sorted(points)[0]
    manifest = desk.encoder.manifest
    desk.fill("there", [], INDEXED_FIELDS)
    spec = CollectionSpec("there.2", manifest.space, manifest.dimension, INDEXED_FIELDS)
    desk.index.ensure_collection(spec)

    def begin() -> None:
        old = desk.index.collection("there").version
        desk.migrations.start(example_migration(collection="there", old=old, new="there.2"))
        made = points[mine].payload.model_copy(update={"first_indexed": FirstIndexed(job="mine", source="m")})
        come_in = [Point(mine, points[mine].vector, made)]
        if after:  # What is there is the import's, and was carried over already.
            come_in = [Point(one, point.vector, point.payload) for one, point in points.items()]
        for version in (old, "there.2"):
            desk.index.insert(version, come_in)
        if dies:
            raise Died

    job = desk.start("there", PointsSource(path=str(export)))
    index = Meanwhile(desk.index, begin, after=after)
    with suppress(Died):
        desk.planner(jobs=desk.jobs(index)).plan(job.id)
    desk.planner().plan(job.id)

    assert code(desk.ledger.job(job.id)) == "migration_under_way"
    for version in ("there", "there.2"):
        assert set(desk.points(version)) == (set() if after else {mine})
    desk.index.drop_collection("there.2")
