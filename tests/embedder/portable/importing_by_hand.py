"""An export whose manifest a test renews, its import, and why that failed."""

import hashlib
import json
from pathlib import Path
from typing import Any

from sightline.queue.jobs import Job, JobState
from sightline.queue.sources import PointsSource

POINTS = 12


def renewed(folder: Path, **changes: Any) -> None:
    """Have the manifest say what the files are now."""
    manifest = json.loads((folder / "export.json").read_text())
    for about in manifest["files"]:
        data = (folder / about["name"]).read_bytes()
        about |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "export.json").write_text(json.dumps(manifest | changes))


def imported(desk: Any, folder: Path) -> Job:
    return desk.run("there", PointsSource(path=str(folder)))  # type: ignore[no-any-return]


def code(job: Job) -> str:
    """Why a job failed."""
    assert job.state is JobState.FAILED
    assert job.error is not None
    return job.error.code
