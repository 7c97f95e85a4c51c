"""Whether memory stays bounded: the peak during a large folder job, against that during a small one.

    python -m bench.ingest_memory [--pictures 100000] [--model FOLDER]

Runs an embedded stack and indexes 1,000 small JPEGs, then many more. While a job runs, the resident
memory of each kind of process is sampled (that of several, as decoders are, is added up), and the job's
progress is compared with the points there are.
"""

import argparse
import io
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from PIL import Image
from rich.console import Console
from rich.table import Table

from bench.cpu_time import kind_of
from bench.embedded_stack import embedded_stack

SAMPLE_EVERY_S = 0.5


def make_pictures(folder: Path, count: int, seed: int) -> Path:
    """`count` different JPEGs of 48x36 pixels, 1,000 to a folder."""
    random = np.random.default_rng(seed)
    for number in range(count):
        if number % 1000 == 0:
            part = folder / f"{number // 1000:04}"
            part.mkdir(parents=True)
        out = io.BytesIO()
        coarse = random.integers(0, 256, (3, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((48, 36), Image.Resampling.BILINEAR).save(out, "JPEG", quality=75)
        (part / f"{number:06}.jpg").write_bytes(out.getvalue() + number.to_bytes(4, "big"))
    return folder


def index_and_sample(
    stack: psutil.Process, api: httpx.Client, folder: Path, collection: str
) -> dict[str, Any]:
    """Index a folder; the peaks in MiB, the time, and by how many pictures progress was off."""
    source = {"kind": "folder", "path": str(folder)}
    started = time.monotonic()
    answer = api.post("/v1/ingest", json={"source": source, "collection": collection}).raise_for_status()
    peaks: dict[str, float] = defaultdict(float)
    off = 0
    while True:
        job = api.get(f"/v1/jobs/{answer.json()['id']}").raise_for_status().json()
        counts = job["counts"]
        parts = ("pending", "indexed", "unchanged", "failed", "canceled")
        if sum(counts[part] for part in parts) != counts["total"]:
            raise RuntimeError(f"counts do not add up: {counts}")
        for name, resident in _resident_mib(stack).items():
            peaks[name] = max(peaks[name], resident)
        points = _points(api, collection)
        later = api.get(job["links"]["self"]).raise_for_status().json()["counts"]["indexed"]
        off = max(off, counts["indexed"] - points, points - later)
        if job["finished_at"]:
            break
        time.sleep(SAMPLE_EVERY_S)
    took_s = time.monotonic() - started
    return {
        "pictures": counts["total"],
        "indexed": counts["indexed"],
        "took_s": round(took_s, 1),
        "progress_off_by": off,
        "peak_mib": {name: round(peak, 1) for name, peak in sorted(peaks.items())},
    }


def _points(api: httpx.Client, collection: str) -> int:
    stats = api.get("/v1/stats").raise_for_status().json()["collections"]
    return next((int(one["points"]) for one in stats if one["name"] == collection), 0)


def _resident_mib(stack: psutil.Process) -> dict[str, float]:
    resident: dict[str, float] = defaultdict(float)
    for process in stack.children(recursive=True):
        try:
            name = kind_of(" ".join(process.cmdline()))
            if name is not None:
                resident[name] += process.memory_info().rss / (1 << 20)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return resident


def measure(*, pictures: int, model: str, first: int = 1000) -> dict[str, Any]:
    """Index `first` pictures, then so many; `model` is a name or the folder of an artifact."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        small = make_pictures(root / "pictures" / "small", first, seed=1)
        large = make_pictures(root / "pictures" / "large", pictures, seed=2)
        with embedded_stack(root / "data", model, root / "pictures") as (stack, api):
            before = index_and_sample(stack, api, small, "small")
            after = index_and_sample(stack, api, large, "large")
    ratios = {name: round(after["peak_mib"][name] / peak, 2) for name, peak in before["peak_mib"].items()}
    return {"small": before, "large": after, "ratios": ratios}


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures for a reader."""
    before, after = found["small"], found["large"]
    table = Table(
        "memory of ingest", f"{before['pictures']:,} pictures", f"{after['pictures']:,} pictures", "ratio"
    )
    for name, ratio in found["ratios"].items():
        peaks = (str(one["peak_mib"][name]) for one in (before, after))
        table.add_row(f"{name}, peak MiB", *peaks, str(ratio))
    for row in ("took_s", "progress_off_by", "indexed"):
        table.add_row(row, str(before[row]), str(after[row]), "")
    return [table]


def main() -> None:
    """Print the figures as a table, or as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--model", default="starter", help="name or folder of an artifact")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(pictures=options.pictures, model=options.model)
    if options.json:
        print(json.dumps(found))
        return
    for table in tables(found):
        Console().print(table)


if __name__ == "__main__":
    main()
