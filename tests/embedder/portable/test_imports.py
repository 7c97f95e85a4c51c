"""Imports of what anybody may have made: what is unfit is left out with its reason, the rest comes in."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from importing_by_hand import POINTS, code, imported, renewed

from sightline.errors import FailureReason
from sightline.identity import source_key
from sightline.index import Point
from sightline.payload import INDEXED_FIELDS, Source
from sightline.queue.jobs import JobState
from sightline.queue.sources import ExportTarget

MakePoints = Callable[[int], list[Point]]


def rewritten(folder: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Change the rows of the only file, so that its manifest still fits."""
    file = folder / "points-00000.parquet"
    table = pyarrow.parquet.read_table(file)
    rows = table.to_pylist()
    change(rows)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, table.schema), file)
    renewed(folder)


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
    "a long row": (FailureReason.BAD_POINT, lambda row: row.update(thumbnail=b"RIFF" + b"x" * (33 << 20))),
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


def test_a_picture_in_two_files_is_one(desk: Any, export: Path) -> None:
    manifest = json.loads((export / "export.json").read_text())
    (first,) = manifest["files"]
    second = dict(first, name="points-00001.parquet")
    shutil.copy(export / first["name"], export / second["name"])
    renewed(export, files=[first, second], points=2 * POINTS)

    job = imported(desk, export)

    assert (job.counts.indexed, job.counts.unchanged) == (POINTS, POINTS)


def test_the_placeholder_of_a_catalogue_goes_out_and_comes_in(desk: Any, make_points: MakePoints) -> None:
    (point,) = make_points(1)
    uris = [f"file:///catalogue/a folder with a long name/{number}.jpg" for number in range(40_000)]
    sources = {source_key(uri): Source(kind="folder", uri=uri) for uri in uris}
    desk.fill("here", [replace(point, payload=point.payload.model_copy(update={"sources": sources}))], {})
    desk.run("here", ExportTarget(path=str(desk.root / "out")))

    job = imported(desk, desk.root / "out")

    assert job.counts.indexed == 1, desk.failures(job)
    (there,) = desk.points("there").values()
    assert there.payload.sources == sources


def test_an_export_of_another_model_is_refused(desk: Any, export: Path) -> None:
    for changes in ({"space": "clip-ViT-B-32@0123456789abcdef"}, {"dimension": 512}):
        folder = export.with_name(f"other-{next(iter(changes))}")
        shutil.copytree(export, folder)
        renewed(folder, **changes)
        assert code(imported(desk, folder)) == "space_mismatch"
    assert [info.name for info in desk.index.collections()] == ["here"]
