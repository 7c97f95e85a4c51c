"""Imports of what anybody may have made: what is unfit is left out with its reason, the rest comes in."""

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from example_migration import example_migration

from sightline.errors import FailureReason
from sightline.identity import source_key
from sightline.index import CollectionSpec, Point
from sightline.payload import INDEXED_FIELDS, FirstIndexed
from sightline.queue.jobs import Job, JobState
from sightline.queue.migration_records import MigrationState
from sightline.queue.sources import ExportTarget, PointsSource

MakePoints = Callable[[int], list[Point]]
POINTS = 12


class Died(BaseException):
    """What a kill is to whoever is killed."""


@pytest.fixture
def export(desk: Any, make_points: MakePoints) -> Path:
    """The folder of an export of 12 points."""
    desk.fill("here", make_points(POINTS), INDEXED_FIELDS)
    job = desk.run("here", ExportTarget(path=str(desk.root / "out")))
    assert job.state is JobState.SUCCEEDED
    return desk.root / "out"  # type: ignore[no-any-return]


def rewritten(folder: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Change the rows of the only file, so that its manifest still fits."""
    file = folder / "points-00000.parquet"
    table = pyarrow.parquet.read_table(file)
    rows = table.to_pylist()
    change(rows)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, table.schema), file)
    renewed(folder)


def renewed(folder: Path, **changes: Any) -> None:
    """Have the manifest say what the files are now."""
    manifest = json.loads((folder / "export.json").read_text())
    for about in manifest["files"]:
        data = (folder / about["name"]).read_bytes()
        about |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "export.json").write_text(json.dumps(manifest | changes))


def imported(desk: Any, folder: Path) -> Job:
    return desk.run("there", PointsSource(path=str(folder)))  # type: ignore[no-any-return]


def other_sources(row: dict[str, Any], **source: Any) -> None:
    (old,) = json.loads(row["sources"]).values()
    new = old | source
    row["sources"] = json.dumps({source_key(new["uri"].encode(errors="replace").decode()): new})


FOREIGN_KEY = json.dumps({"k": {"kind": "url", "uri": "u"}})
LARGE, DEEP = json.dumps({"a": "x" * 140_000}), '{"a":' * 40 + "1" + "}" * 40
BAD_ROWS: dict[str, tuple[FailureReason, Callable[[dict[str, Any]], Any]]] = {
    "not a number": (FailureReason.BAD_VECTOR, lambda row: row["vector"].__setitem__(3, float("nan"))),
    "infinite": (FailureReason.BAD_VECTOR, lambda row: row["vector"].__setitem__(3, float("inf"))),
    "no direction": (FailureReason.BAD_VECTOR, lambda row: row.update(vector=[0.0] * 32)),
    "twice as long": (FailureReason.BAD_VECTOR, lambda row: row.update(vector=[0.5] * 32)),
    "no vector": (FailureReason.BAD_VECTOR, lambda row: row.update(vector=None)),
    "another id": (FailureReason.BAD_POINT, lambda row: row.update(id="0" * 8 + row["id"][8:])),
    "no id": (FailureReason.BAD_POINT, lambda row: row.update(id=None)),
    "another hash": (FailureReason.BAD_POINT, lambda row: row.update(sha256="f" * 64)),
    "no hash": (FailureReason.BAD_POINT, lambda row: row.update(sha256="F" * 64)),
    "another space": (FailureReason.BAD_POINT, lambda row: row.update(space="else@1")),
    "no space": (FailureReason.BAD_POINT, lambda row: row.update(space=None)),
    "no time": (FailureReason.BAD_POINT, lambda row: row.update(sort_at=None)),
    "the end of time": (FailureReason.BAD_POINT, lambda row: row.update(sort_at=datetime.max)),
    "flat": (FailureReason.BAD_POINT, lambda row: row.update(width=0)),
    "nowhere": (FailureReason.BAD_POINT, lambda row: row.update(latitude=91.0, longitude=0.0)),
    "no sources": (FailureReason.BAD_POINT, lambda row: row.update(sources="{}")),
    "sources that are none": (FailureReason.BAD_POINT, lambda row: row.update(sources="[1]")),
    "sources that are no JSON": (FailureReason.BAD_POINT, lambda row: row.update(sources="{")),
    "a source of no kind": (FailureReason.BAD_POINT, lambda row: other_sources(row, kind="shell")),
    "a source's key": (FailureReason.BAD_POINT, lambda row: row.update(sources=FOREIGN_KEY)),
    "half a pair": (FailureReason.BAD_POINT, lambda row: other_sources(row, uri="file:///\ud800")),
    "more that is a list": (FailureReason.BAD_POINT, lambda row: row.update(more="[1]")),
    "large metadata": (FailureReason.BAD_METADATA, lambda row: row.update(metadata=LARGE)),
    "deep metadata": (FailureReason.BAD_METADATA, lambda row: row.update(metadata=DEEP)),
    "endless metadata": (FailureReason.BAD_POINT, lambda row: row.update(metadata='{"a":' * 9_000 + "1")),
    "many tags": (FailureReason.BAD_METADATA, lambda row: row.update(tags=[str(n) for n in range(201)])),
    "a long tag": (FailureReason.BAD_METADATA, lambda row: row.update(tags=["x" * 257])),
    "a long row": (FailureReason.BAD_POINT, lambda row: row.update(thumbnail=b"RIFF" + b"x" * (5 << 20))),
}  # fmt: skip


def test_what_is_unfit_is_left_out_with_its_reason(desk: Any, make_points: MakePoints) -> None:
    desk.fill("here", make_points(len(BAD_ROWS) + 3), INDEXED_FIELDS)
    desk.run("here", ExportTarget(path=str(desk.root / "out")))
    bad: dict[str, FailureReason] = {}

    def spoil(rows: list[dict[str, Any]]) -> None:
        for row, (name, (reason, change)) in zip(rows, BAD_ROWS.items(), strict=False):
            bad[name] = reason
            change(row)

    rewritten(desk.root / "out", spoil)
    job = imported(desk, desk.root / "out")

    assert (job.state, job.counts.indexed, job.counts.failed) == (JobState.PARTIAL, 3, len(BAD_ROWS))
    found = [failure.reason for failure in desk.failures(job)]
    assert dict(zip(BAD_ROWS, found, strict=True)) == bad
    assert all(failure.detail.startswith("Row ") for failure in desk.failures(job))
    assert len(desk.points("there")) == 3


def test_a_time_that_python_cannot_express_costs_its_row_alone(desk: Any, export: Path) -> None:
    file = export / "points-00000.parquet"
    table = pyarrow.parquet.read_table(file)
    column = table.schema.get_field_index("sort_at")
    microseconds = table.column(column).cast("int64").to_pylist()
    microseconds[1] = 253_402_300_800_000_000  # the year 10000
    kind = table.schema.field(column).type
    changed = table.set_column(column, table.schema.field(column), pyarrow.array(microseconds).cast(kind))
    pyarrow.parquet.write_table(changed, file)
    renewed(export)

    job = imported(desk, export)

    assert (job.counts.indexed, job.counts.failed) == (POINTS - 1, 1)
    assert [failure.reason for failure in desk.failures(job)] == [FailureReason.BAD_POINT]


def test_thumbnails_that_are_none_are_left_out(desk: Any, export: Path, make_points: MakePoints) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["thumbnail"] = b"<script>alert(1)</script>"

    rewritten(export, spoil)
    assert imported(desk, export).counts.indexed == POINTS
    assert not list((desk.data / "media" / "there").rglob("*.webp"))


def test_two_rows_of_one_picture_are_one(desk: Any, export: Path) -> None:
    def double(rows: list[dict[str, Any]]) -> None:
        rows[1] = dict(rows[0], tags=["second"])

    rewritten(export, double)
    job = imported(desk, export)
    assert (job.counts.indexed, job.counts.unchanged, job.counts.total) == (POINTS - 1, 1, POINTS)
    assert "second" not in {tag for point in desk.points("there").values() for tag in point.payload.tags}


def test_what_is_deleted_meanwhile_stays_deleted(desk: Any, export: Path) -> None:
    gone = sorted(desk.points("here"))[:2]
    job = desk.start("there", PointsSource(path=str(export)))
    desk.deletions.record("there", gone)
    desk.planner().plan(job.id)
    ended = desk.ledger.job(job.id)
    assert (ended.counts.indexed, ended.counts.canceled) == (POINTS - 2, 2)
    assert not set(gone) & desk.points("there").keys()


def code(job: Job) -> str:
    assert job.state is JobState.FAILED
    assert job.error is not None
    return job.error.code


def test_an_export_of_another_model_is_refused(desk: Any, export: Path) -> None:
    for changes in ({"space": "clip-ViT-B-32@0123456789abcdef"}, {"dimension": 512}):
        folder = export.with_name(f"other-{next(iter(changes))}")
        shutil.copytree(export, folder)
        renewed(folder, **changes)
        assert code(imported(desk, folder)) == "space_mismatch"
    assert [info.name for info in desk.index.collections()] == ["here"]


def test_files_that_were_sent_long_ago_serve_an_import_to_its_end(desk: Any, export: Path) -> None:
    ours, other = (desk.places.upload(digit * 32) for digit in "ab")
    for folder in (ours, other):
        shutil.copytree(export, folder)
        os.utime(folder, (0, 0))

    job = desk.run("there", PointsSource(upload=ours.name))

    assert (job.state, job.counts.indexed) == (JobState.SUCCEEDED, POINTS)
    assert [folder.exists() for folder in (ours, other)] == [False, False]


class DyingAtTheEnd:
    """A ledger of somebody who dies before, or after, the record that all files were read."""

    def __init__(self, ledger: Any, *, after: bool) -> None:
        self._ledger, self._after = ledger, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def plan_batch(self, job_id: str, batch: Any, cursor: str, **options: Any) -> bool:
        if cursor == "done" and not self._after:
            raise Died
        done = self._ledger.plan_batch(job_id, batch, cursor, **options)
        if cursor == "done":
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
        desk.planner(DyingAtTheEnd(desk.ledger, after=after)).plan(job.id)
    assert sent.exists()

    desk.planner().plan(job.id)

    ended = desk.ledger.job(job.id)
    assert (ended.state, ended.counts.indexed) == (JobState.SUCCEEDED, POINTS)
    assert not sent.exists()


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


class MigratingMeanwhile:
    """An index of which a collection begins to be migrated just before, or just after, points come in."""

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
    index = MigratingMeanwhile(desk.index, begin, after=after)
    with suppress(Died):
        desk.planner(jobs=desk.jobs(index)).plan(job.id)
    desk.planner().plan(job.id)

    assert code(desk.ledger.job(job.id)) == "migration_under_way"
    for version in ("there", "there.2"):
        assert set(desk.points(version)) == (set() if after else {mine})
    desk.index.drop_collection("there.2")


def test_what_an_import_brings_back_is_deleted_no_more(desk: Any, export: Path) -> None:
    (back, gone, *_) = sorted(desk.points("here"))
    desk.deletions.record("there", [back])
    job = desk.start("there", PointsSource(path=str(export)))
    desk.deletions.record("there", [gone])
    desk.planner().plan(job.id)

    assert set(desk.points("there")) == set(desk.points("here")) - {gone}
    assert desk.deletions.times("there", [back, gone]).keys() == {gone}, "no older job takes it back"


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "{}",
        '{"format": "sightline-export", "version": 2}',
        "[" * 100_000,
        '{"files": [{"name": "../../etc/passwd", "points": 1, "bytes": 1, "sha256": "0"}]}',
    ],
)
def test_a_manifest_that_is_none_is_refused(desk: Any, export: Path, manifest: str) -> None:
    held = json.loads((export / "export.json").read_text())
    text = json.dumps(held | json.loads(manifest)) if manifest.startswith('{"') else manifest
    (export / "export.json").write_text(text)
    assert code(imported(desk, export)) == "import_damaged"


def test_files_that_changed_are_refused(desk: Any, export: Path) -> None:
    file = export / "points-00000.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    job = imported(desk, export)
    assert code(job) == "import_damaged"
    assert "SHA-256" in job.error.detail  # type: ignore[union-attr]


def test_a_file_that_leads_out_of_the_roots_is_refused(desk: Any, export: Path) -> None:
    outside = desk.root.parent / "points.parquet"
    (export / "points-00000.parquet").rename(outside)
    (export / "points-00000.parquet").symlink_to(outside)
    assert code(imported(desk, export)) == "path_not_allowed"
    assert code(imported(desk, desk.root.parent)) == "path_not_allowed"
    assert code(imported(desk, desk.root / "nothing")) == "file_not_found"


def mutations(data: bytes, seed: int, count: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(chance.randrange(1, 30)):
            place = chance.randrange(len(changed))
            match chance.randrange(3):
                case 0:
                    changed[place] ^= 1 << chance.randrange(8)
                case 1:
                    changed[place : place + chance.randrange(1, 50)] = b""
                case 2:
                    changed[place:place] = chance.randbytes(chance.randrange(1, 20))
        yield bytes(changed)


def test_damaged_files_whose_hashes_are_right_do_no_harm(desk: Any, export: Path) -> None:
    file = export / "points-00000.parquet"
    for data in mutations(file.read_bytes(), seed=3, count=8):
        file.write_bytes(data)
        renewed(export)
        job = imported(desk, export)
        assert job.state in (JobState.FAILED, JobState.PARTIAL, JobState.SUCCEEDED)
        if job.error is not None:
            assert job.error.code == "import_damaged"
    for point in desk.points("there").values():
        assert abs(np.linalg.norm(point.vector) - 1) < 1e-3
