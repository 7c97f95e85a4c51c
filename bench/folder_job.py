"""A folder that is indexed by a stack, from the request to the job's end."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx


@dataclass(frozen=True)
class FolderJob:
    """How many pictures a folder has, and how long they took."""

    pictures: int
    seconds: float


def index_folder(
    api: httpx.Client, folder: Path, collection: str, *, known: bool = False, poll_s: float = 0.2
) -> FolderJob:
    """Index a folder into a collection; raises RuntimeError unless all of its pictures become points.

    `known`: they are to be points already, and none is to be new.
    """
    body = {"source": {"kind": "folder", "path": str(folder)}, "collection": collection}
    started = time.time()
    job = api.post("/v1/ingest", json=body).raise_for_status().json()
    while not job["finished_at"]:
        time.sleep(poll_s)
        job = api.get(f"/v1/jobs/{job['id']}").raise_for_status().json()
    counts = job["counts"]
    if counts["unchanged" if known else "indexed"] != counts["total"]:
        raise RuntimeError(f"not every picture was indexed: {counts}")
    return FolderJob(counts["total"], datetime.fromisoformat(job["finished_at"]).timestamp() - started)
