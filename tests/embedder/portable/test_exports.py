"""Exports: what they hold, and that one goes on where another embedder died."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from sightline.identity import sha256_of_file
from sightline.index import CollectionSpec, Point
from sightline.payload import INDEXED_FIELDS, FieldType
from sightline.portable.discarding import discard_stale
from sightline.portable.manifest import read_manifest
from sightline.queue.jobs import Batch, Job, JobState
from sightline.queue.sources import ExportTarget, PointsSource
from sightline.settings import Precision, Quantization
from sightline_embedder.errors import PlannedElsewhere
from sightline_embedder.steps import Step

MakePoints = Callable[[int], list[Point]]
FIELDS = {**INDEXED_FIELDS, "metadata.price": FieldType.FLOAT}
STEPS = [0, 2, *(pytest.param(step, marks=pytest.mark.long) for step in (1, 3))]
"""How many were recorded before the death."""


class Died(BaseException):
    """What a kill is to whoever is killed: nothing of theirs runs afterwards."""


class DyingLedger:
    """A ledger of somebody who dies before, or after, the n-th record of a step."""

    def __init__(self, ledger: Any, steps: int, *, after: bool) -> None:
        self._ledger, self._left, self._after = ledger, steps, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def plan_batch(self, *arguments: Any, **options: Any) -> bool:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Died
        done = self._ledger.plan_batch(*arguments, **options)
        if self._left < 0:
            raise Died
        return bool(done)


def test_what_goes_out_comes_in_again(desk: Any, make_points: MakePoints) -> None:
    points = make_points(230)
    desk.fill("here", points, FIELDS)

    out = desk.run("here", ExportTarget(path=str(desk.root / "out")))
    assert (out.state, out.counts.unchanged, out.counts.total) == (JobState.SUCCEEDED, 230, 230)
    manifest = read_manifest(desk.root / "out" / "export.json")
    assert [file.points for file in manifest.files] == [100, 100, 30]
    for file in manifest.files:
        assert sha256_of_file(desk.root / "out" / file.name) == file.sha256
    assert {path.name for path in (desk.root / "out").iterdir()} == {
        "export.json",
        *(file.name for file in manifest.files),
    }

    job = desk.run("there", PointsSource(path=str(desk.root / "out")))
    assert (job.state, job.counts.indexed, job.counts.total) == (JobState.SUCCEEDED, 230, 230)
    before, after = desk.points("here"), desk.points("there")
    assert {one: point.payload for one, point in after.items()} == {
        one: point.payload for one, point in before.items()
    }
    for one, point in after.items():
        np.testing.assert_array_equal(point.vector, before[one].vector)
    assert desk.index.collection("there").fields == desk.index.collection("here").fields
    thumbnail = desk.media.read_thumbnail("there", points[0].id)
    assert thumbnail == desk.media.read_thumbnail("here", points[0].id)

    again = desk.run("there", PointsSource(path=str(desk.root / "out")))
    assert (again.counts.indexed, again.counts.unchanged) == (0, 230)


@pytest.mark.parametrize("fit", [True, False])
def test_a_collection_is_made_with_the_precision_it_had(desk: Any, fit: bool) -> None:
    manifest = desk.encoder.manifest
    precision = Precision.F32 if fit else min(set(Precision) - {*manifest.precisions, Precision.AUTO})
    spec = CollectionSpec("here", manifest.space, manifest.dimension, FIELDS, Quantization.INT8, precision)
    desk.index.ensure_collection(spec)
    desk.run("here", ExportTarget(path=str(desk.root / "out")))
    assert desk.run("there", PointsSource(path=str(desk.root / "out"))).state is JobState.SUCCEEDED
    there = desk.index.collection("there")
    assert (there.quantization, there.precision) == (Quantization.INT8, precision if fit else None)


def test_other_tools_read_the_files(desk: Any, make_points: MakePoints) -> None:
    points = make_points(7)
    desk.fill("here", points, FIELDS)
    desk.run("here", ExportTarget(path=str(desk.root / "out"), thumbnails=False))
    table = pyarrow.parquet.read_table(desk.root / "out" / "points-00000.parquet")
    rows = {row["id"]: row for row in table.to_pylist()}
    row = rows[points[0].id]
    assert (row["tags"], row["width"], row["latitude"]) == (["sea", "Ωmega"], 400, -33.9)
    assert json.loads(row["metadata"]) == {"shelf": {"row": 0}, "price": 1.5}
    assert row["taken_at"] == points[0].payload.taken_at
    np.testing.assert_allclose(row["vector"], points[0].vector, atol=1e-6)
    assert {row["thumbnail"] for row in rows.values()} == {None}


def test_an_empty_collection_is_an_export_too(desk: Any) -> None:
    desk.fill("here", [], FIELDS)
    job = desk.run("here", ExportTarget(path=str(desk.root / "out")))
    assert job.state is JobState.SUCCEEDED
    came = desk.run("there", PointsSource(path=str(desk.root / "out")))
    assert (came.state, came.counts.total) == (JobState.SUCCEEDED, 0)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("steps", STEPS)
def test_an_export_goes_on_after_a_death(desk: Any, make_points: MakePoints, steps: int, after: bool) -> None:
    desk.fill("here", make_points(230), FIELDS)
    job = desk.start("here", ExportTarget(path=str(desk.root / "out")))
    dying = DyingLedger(desk.ledger, steps, after=after)
    with pytest.raises(Died):
        desk.planner(dying).plan(job.id)
    assert steps == 3 or not (desk.root / "out" / "export.json").exists()

    desk.planner().plan(job.id)

    ended = desk.ledger.job(job.id)
    assert (ended.state, ended.counts.unchanged) == (JobState.SUCCEEDED, 230)
    assert desk.run("there", PointsSource(path=str(desk.root / "out"))).counts.indexed == 230


class HeldUp:
    """An index in which a reader is held up once, when it has read the first points."""

    def __init__(self, index: Any, meanwhile: Callable[[], None]) -> None:
        self._index, self._meanwhile = index, [meanwhile]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def scroll(self, *arguments: Any, **options: Any) -> Any:
        points = self._index.scroll(*arguments, **options)
        if self._meanwhile:
            self._meanwhile.pop()()
        return points


def record(desk: Any, job: Job, step: Step) -> None:
    batch = Batch(id=str(desk.ledger.plan_state(job.id).next_batch), items=())
    assert desk.ledger.plan_batch(job.id, batch, step.cursor)


def test_a_planner_that_was_held_up_spoils_nothing(desk: Any, make_points: MakePoints) -> None:
    """So long that its lease ran out, and another has written the file that it is at."""
    points = make_points(230)
    desk.fill("here", points, FIELDS)
    target = ExportTarget(path=str(desk.root / "out"))
    job = desk.start("here", target)
    others = desk.jobs().steps(job, None)

    def another_goes_on() -> None:
        desk.index.set_payload("here", min(point.id for point in points), {"tags": ["changed"]})
        record(desk, job, next(others))

    held_up = desk.jobs(HeldUp(desk.index, another_goes_on)).steps(job, None)
    with pytest.raises(PlannedElsewhere):
        next(held_up)
    for step in others:
        record(desk, job, step)

    assert desk.run("there", PointsSource(path=str(desk.root / "out"))).counts.indexed == 230


def test_an_export_is_of_one_model_whatever_happens_meanwhile(desk: Any, make_points: MakePoints) -> None:
    points = make_points(230)
    desk.fill("here", points, FIELDS)
    job = desk.start("here", ExportTarget(path=str(desk.root / "out")))
    with pytest.raises(Died):
        desk.planner(DyingLedger(desk.ledger, 0, after=True)).plan(job.id)
    spec = CollectionSpec("here.second", "second@0123456789abcdef", len(points[0].vector), FIELDS)
    desk.index.ensure_collection(spec)
    others = [
        replace(one, payload=one.payload.model_copy(update={"space": spec.space})) for one in points[:200]
    ]
    desk.index.insert(spec.name, others)
    desk.index.switch("here", spec.name)

    desk.planner().plan(job.id)

    ended = desk.ledger.job(job.id)
    assert (ended.state, ended.error and ended.error.code) == (JobState.FAILED, "collection_changed")
    assert not (desk.root / "out" / "export.json").exists()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("steps", STEPS)
def test_an_import_goes_on_after_a_death_and_counts_right(
    desk: Any, make_points: MakePoints, steps: int, after: bool
) -> None:
    points = make_points(230)
    desk.fill("here", points, FIELDS)
    desk.run("here", ExportTarget(path=str(desk.root / "out")))
    desk.fill("there", points[:40], FIELDS)
    job = desk.start("there", PointsSource(path=str(desk.root / "out")))
    with pytest.raises(Died):
        desk.planner(DyingLedger(desk.ledger, steps, after=after)).plan(job.id)

    desk.planner().plan(job.id)

    ended = desk.ledger.job(job.id)
    assert (ended.state, ended.counts.indexed, ended.counts.unchanged) == (JobState.SUCCEEDED, 190, 40)
    assert len(desk.points("there")) == 230


class MigratedAtInsert:
    """An index of which a collection is migrated when the first point is about to come in."""

    def __init__(self, index: Any, collection: str) -> None:
        self._index, self._collection = index, collection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def insert(self, collection: str, points: list[Point]) -> None:
        migrate(self._index, self._collection)
        self._index.insert(collection, points)


def migrate(index: Any, collection: str) -> None:
    """A whole migration of a collection to another model, as one may pass while an import rests."""
    old = index.collection(collection)
    spec = CollectionSpec(f"{collection}.second", "second@0123456789abcdef", old.dimension, FIELDS)
    index.ensure_collection(spec)
    index.switch(collection, spec.name)
    index.drop_collection(old.version)


@pytest.mark.parametrize("resting", [False, True])
def test_an_import_that_a_migration_overtakes_ends(desk: Any, make_points: MakePoints, resting: bool) -> None:
    desk.fill("here", make_points(230), FIELDS)
    desk.run("here", ExportTarget(path=str(desk.root / "out")))
    job = desk.start("there", PointsSource(path=str(desk.root / "out")))
    if resting:
        dying = DyingLedger(desk.ledger, 0, after=True)
        with pytest.raises(Died):
            desk.planner(dying).plan(job.id)
        migrate(desk.index, "there")
        desk.planner().plan(job.id)
    else:
        desk.planner(jobs=desk.jobs(MigratedAtInsert(desk.index, "there"))).plan(job.id)
    ended = desk.ledger.job(job.id)
    assert (ended.state, ended.error and ended.error.code) == (JobState.FAILED, "space_mismatch")


def test_a_folder_with_something_in_it_is_left_alone(desk: Any, make_points: MakePoints) -> None:
    desk.fill("here", make_points(3), FIELDS)
    taken = desk.root / "taken"
    taken.mkdir()
    (taken / "points-00000.parquet").write_text("mine")
    job = desk.run("here", ExportTarget(path=str(taken)))
    assert (job.state, job.error and job.error.code) == (JobState.FAILED, "export_exists")
    assert [path.name for path in taken.iterdir()] == ["points-00000.parquet"]
    assert (taken / "points-00000.parquet").read_text() == "mine"


def test_nothing_is_written_outside_of_the_roots(desk: Any, make_points: MakePoints) -> None:
    desk.fill("here", make_points(3), FIELDS)
    outside = desk.root.parent / "outside"
    outside.mkdir()
    (desk.root / "link").symlink_to(outside)
    for path in (outside, desk.root / "link" / "out", desk.root / ".." / "outside"):
        job = desk.run("here", ExportTarget(path=str(path)))
        assert job.error is not None
        assert job.error.code == "path_not_allowed"
    assert list(outside.iterdir()) == []


def test_what_a_stopped_export_left_goes_and_what_another_made_stays(
    desk: Any, make_points: MakePoints
) -> None:
    desk.fill("here", make_points(230), FIELDS)
    stopped = desk.start("here", ExportTarget())
    with pytest.raises(Died):
        desk.planner(DyingLedger(desk.ledger, 1, after=False)).plan(stopped.id)
    desk.ledger.stop(stopped.id)
    assert desk.places.export(stopped.id).is_dir()

    kept = desk.run("here", ExportTarget())
    discard_stale(desk.places, desk.ledger)

    assert not desk.places.export(stopped.id).exists()
    assert (desk.places.export(kept.id) / "export.json").is_file()
