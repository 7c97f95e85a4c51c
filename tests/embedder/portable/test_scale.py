"""An export of many points and its import into an empty index: as quick as promised, and ranked the same."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from growing_index import settled
from running_index import running_index

from sightline.encoder.artifact import Manifest
from sightline.identity import point_id, source_key
from sightline.index import Point, SearchQuery
from sightline.payload import INDEXED_FIELDS, Source
from sightline.queue.jobs import JobState
from sightline.queue.sources import ExportTarget, PointsSource
from sightline_embedder.portable.exporting import POINTS_PER_FILE

DIMENSION = 512
FEW, MANY = 1_500, 100_000
QUERIES = 200
WITHIN_S = 120.0
BUILT_WITHIN_S = 1800.0
"""HNSW of what is exported; nothing waits for it but this test, which would else take its time too."""
_AT_ONCE = 5_000


@dataclass(frozen=True)
class NotEncoding:
    """An encoder that is asked for nothing but what it is."""

    manifest: Manifest


@pytest.fixture
def usual_priority() -> Iterator[None]:
    """As people run it, so that what builds HNSW leaves the cores to what goes in; root alone may."""
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    yield
    os.setpriority(os.PRIO_PROCESS, 0, niceness)


@pytest.mark.usefixtures("usual_priority")
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_many_points_go_out_and_come_in(
    desk: Any, make_payload: Any, tmp_path: Path, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = desk.encoder.manifest.model_copy(update={"dimension": DIMENSION})
    chance = np.random.default_rng(4)
    with ExitStack() as stack:
        desks = []
        for name in ("here", "there"):
            (tmp_path / name).mkdir()
            index = stack.enter_context(running_index(tmp_path / name))
            encoder = NotEncoding(manifest)
            desks.append(
                replace(
                    desk, data=tmp_path / name, index=index, encoder=encoder, points_per_file=POINTS_PER_FILE
                )
            )
        here, there = desks
        here.fill("many", [], INDEXED_FIELDS)
        for start in range(0, count, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, count))
            here.fill("many", list(_points(numbers, chance, manifest.space, make_payload)), INDEXED_FIELDS)

        if count == MANY:
            settled(lambda: _check_built(here), BUILT_WITHIN_S, every_s=1)
        started = time.monotonic()
        out = here.run("many", ExportTarget(path=str(desk.root / "out")))
        exported_s = time.monotonic() - started
        job = there.run("many", PointsSource(path=str(desk.root / "out")))
        took_s = time.monotonic() - started

        assert (out.state, out.counts.unchanged) == (JobState.SUCCEEDED, count)
        assert (job.state, job.counts.indexed) == (JobState.SUCCEEDED, count)
        for vector in _vectors(QUERIES, chance):
            query = SearchQuery(vector=vector, space=manifest.space, limit=10, exact=True)
            rankings = [[(hit.id, hit.score) for hit in one.index.search("many", query)] for one in desks]
            assert rankings[0] == rankings[1]
        with capsys.disabled():
            told = f"{count} points: out in {exported_s:.1f} s, in again in {took_s - exported_s:.1f} s"
            sys.stdout.write(f"\n{told}\n")
        assert took_s < WITHIN_S


def _check_built(desk: Any) -> None:
    """Most of it is in HNSW: what comes in while that is built stays outside until there is enough of it."""
    assert desk.index.collection("many").indexed > 0.8 * MANY


def _points(numbers: range, chance: np.random.Generator, space: str, make_payload: Any) -> Iterator[Point]:
    for number, vector in zip(numbers, _vectors(len(numbers), chance), strict=True):
        sha256, uri = f"{number:064x}", f"file:///photos/{number}.jpg"
        payload = make_payload(
            sha256=sha256,
            space=space,
            tags=(f"tag {number % 100}",),
            sources={source_key(uri): Source(kind="folder", uri=uri)},
        )
        yield Point(point_id(sha256), vector, payload)


def _vectors(count: int, chance: np.random.Generator) -> Any:
    vectors = chance.normal(size=(count, DIMENSION)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
