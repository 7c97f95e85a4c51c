"""Whether memory stays bounded: the peak during a large folder job, against that during a small one.

    python -m bench.ingest_memory [--pictures 100000] [--model FOLDER]

Runs an embedded stack and indexes 1,000 small JPEGs, then many more. While a job runs, the resident
memory of api, embedder and Redis is sampled, and its progress is compared with the points there are.
"""

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from PIL import Image
from rich.console import Console
from rich.table import Table

from sightline_local.commands.demo import free_port

SAMPLE_EVERY_S = 0.5
PROCESSES = {"sightline_api": "api", "sightline_embedder": "embedder", "redis-server": "redis"}


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


@contextmanager
def embedded_stack(data: Path, model: str, roots: Path) -> Iterator[tuple[psutil.Process, httpx.Client]]:
    """`sightline up` that may index below `roots`, ready and idle, and a client of it."""
    port = free_port()
    environment = os.environ | {"SIGHTLINE_IMPORT_ROOTS": json.dumps([str(roots)])}
    command = [sys.executable, "-m", "sightline_local", "up", "--port", str(port), "--data", str(data)]
    with (data.parent / "up.log").open("wb") as log:
        process = psutil.Popen([*command, "--model", model], stdout=log, stderr=log, env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as api:
            while True:
                try:
                    if api.get("/readyz").is_success:
                        break
                except httpx.TransportError:
                    pass
                if process.poll() is not None:
                    raise RuntimeError((data.parent / "up.log").read_text()[-2000:])
                time.sleep(0.2)
            yield process, api
    finally:
        process.terminate()
        process.wait()


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
            words = {process.name(), *process.cmdline()}
            for word, name in PROCESSES.items():
                if word in words:
                    resident[name] += process.memory_info().rss / (1 << 20)
        except psutil.NoSuchProcess:
            continue
    return resident


def main() -> None:
    """Print the figures as a table, or as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--model", default="starter", help="name or folder of an artifact")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        small = make_pictures(root / "pictures" / "small", 1000, seed=1)
        large = make_pictures(root / "pictures" / "large", options.pictures, seed=2)
        with embedded_stack(root / "data", options.model, root / "pictures") as (stack, api):
            before = index_and_sample(stack, api, small, "small")
            after = index_and_sample(stack, api, large, "large")
    ratios = {name: round(after["peak_mib"][name] / peak, 2) for name, peak in before["peak_mib"].items()}
    if options.json:
        print(json.dumps({"small": before, "large": after, "ratios": ratios}))
        return
    table = Table(
        "memory of ingest", f"{before['pictures']:,} pictures", f"{after['pictures']:,} pictures", "ratio"
    )
    for name, ratio in ratios.items():
        table.add_row(
            f"{name}, peak MiB", str(before["peak_mib"][name]), str(after["peak_mib"][name]), str(ratio)
        )
    for row in ("took_s", "progress_off_by", "indexed"):
        table.add_row(row, str(before[row]), str(after[row]), "")
    Console().print(table)


if __name__ == "__main__":
    main()
