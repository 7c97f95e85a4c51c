"""Exports that are damaged or hostile: manifests that are none, files that are not theirs, any bytes."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from importing_by_hand import code, imported, renewed

from sightline.queue.jobs import JobState


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
