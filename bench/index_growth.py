"""How an embedded index grows: speed, recall and memory by number of vectors, and what builds cost others.

    python -m bench.index_growth [--points 10000 50000] [--layouts none turbo4 int8] [--folder DIR] [--json F]

An index process is filled with vectors of 512 dimensions, clustered as CLIP's are: a direction that all
share, 400 clusters, and noise of full rank, so that two pictures have a cosine near 0.5, two of one
cluster near 0.75, and the nearest ones differ by a few thousandths. At each size its HNSW is built while
this process asks a query every 50 ms and watches its own event loop, with no other load. Memory is the
resident memory of the process that holds the shard; `index` leaves out the mappings of original vectors
where they are kept on disk.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from sightline.identity import point_id
from sightline.index import CollectionSpec, Point, SearchQuery
from sightline.index.edge_client import EdgeClient
from sightline.payload import FirstIndexed, Payload, indexed_fields
from sightline.settings import Quantization

DIMENSION = 512
CLUSTERS = 400
BLOCK = 5_000
QUERIES = 200
ASK_EVERY_S = 0.05
BEAT_S = 0.005
IDLE_S = 10.0
SPACE = "bench"
COLUMNS = ("layout", "points", "scan_p50_ms", "p50_ms", "p95_ms", "recall_at_10", "rss_mib", "index_mib")
BUILD_COLUMNS = (
    "build_s",
    "build_queries",
    "idle_p50_ms",
    "idle_longest_wait_ms",
    "longest_wait_ms",
    "idle_loop_gap_ms",
    "loop_gap_ms",
)


def clustered(number: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors, shape (number, 512); the same clusters for every seed."""
    places, random = np.random.default_rng(0), np.random.default_rng((1, seed))
    mean = places.normal(size=DIMENSION)
    centres = places.normal(size=(CLUSTERS, DIMENSION))
    noise = random.normal(size=(number, DIMENSION))
    vectors = mean + 0.7 * centres[random.integers(0, CLUSTERS, number)] + 0.7 * noise
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def points_of(block: int) -> list[Point]:
    """The points of one block of `BLOCK`."""
    moment = datetime(2024, 5, 31, tzinfo=UTC)
    made = []
    for row, vector in enumerate(clustered(BLOCK, block + 1)):
        sha256 = f"{block * BLOCK + row:064x}"
        payload = Payload(
            sha256=sha256,
            space=SPACE,
            model="bench",
            numerics="none",
            format="jpeg",
            width=4000,
            height=3000,
            bytes=3_800_000,
            indexed_at=moment,
            sort_at=moment,
            first_indexed=FirstIndexed(job="job", source="source"),
        )
        made.append(Point(point_id(sha256), vector, payload))
    return made


class Index:
    """An index process on a folder, and its client."""

    def __init__(self, folder: Path, layout: Quantization) -> None:
        """Start it, with an empty collection; it builds only when asked."""
        socket = Path(tempfile.mkdtemp(prefix="sl-")) / "index.sock"
        command = [sys.executable, "-m", "sightline.index.edge_process"]
        environment = {
            **os.environ,
            "SIGHTLINE_QUANTIZATION": layout.value,
            "SIGHTLINE_INDEX_REBUILD_POINTS": str(10**9),
            "SIGHTLINE_LOG_LEVEL": "warning",
        }
        self.process = subprocess.Popen(
            [*command, "--folder", str(folder), "--socket", str(socket)], env=environment
        )
        self.client = EdgeClient(socket, patience_s=60.0, timeout_s=600.0)
        self.client.ensure_collection(CollectionSpec("images", SPACE, DIMENSION, indexed_fields({})))

    def close(self) -> None:
        """Stop it."""
        self.client.close()
        self.process.terminate()
        self.process.wait()

    def ask(self, vector: NDArray[np.float32], *, exact: bool = False) -> tuple[set[str], float]:
        """The ids of the ten nearest, and how long the answer took, in milliseconds."""
        query = SearchQuery(vector, SPACE, 10, exact=exact)
        started = time.perf_counter()
        hits = self.client.search("images", query)
        return {hit.id for hit in hits}, (time.perf_counter() - started) * 1e3

    def indexed(self) -> int:
        """How many vectors HNSW covers."""
        return self.client.collection("images").indexed

    def memory(self) -> dict[str, float]:
        """Resident memory of the process that holds the shard, in MiB: all, and of original vectors."""
        children = psutil.Process(self.process.pid).children()
        holders = [one for one in children if "sightline.index.shard_process" in one.cmdline()]
        pid = holders[0].pid if holders else self.process.pid
        resident, originals, mapping = 0, 0, ""
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                mapping = line
            elif line.startswith("Rss:"):
                kib = int(line.split()[1])
                resident += kib
                originals += kib if re.search(r"/vector_storage/(?!quantized)", mapping) else 0
        return {"rss_mib": round(resident / 1024, 1), "originals_mib": round(originals / 1024, 1)}


def measure_search(index: Index, queries: NDArray[np.float32]) -> dict[str, float]:
    """Latency of single searches and how many of the ten nearest they find."""
    for query in queries[:20]:
        index.ask(query)
    times, same = [], 0
    for query in queries:
        found, took_ms = index.ask(query)
        times.append(took_ms)
        same += len(found & index.ask(query, exact=True)[0])
    p50, p95 = np.percentile(times, [50, 95])
    return {
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "recall_at_10": round(same / (10 * len(queries)), 4),
    }


async def watch_build(index: Index, queries: NDArray[np.float32], points: int) -> dict[str, float]:
    """Have HNSW built; what queries wait meanwhile, and the longest gap of this event loop.

    The same is measured for `IDLE_S` before, when nothing is built: what other processes cost.
    """
    gaps: list[float] = []
    waits: list[float] = []

    async def beat() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(BEAT_S)
            now = time.perf_counter()
            gaps.append((now - last - BEAT_S) * 1e3)
            last = now

    async def ask() -> None:
        waits.append((await asyncio.to_thread(index.ask, queries[len(waits) % len(queries)]))[1])
        await asyncio.sleep(ASK_EVERY_S)

    beating = asyncio.create_task(beat())
    until = time.perf_counter() + IDLE_S
    while time.perf_counter() < until:
        await ask()
    idle = {
        "idle_p50_ms": round(float(np.median(waits)), 2),
        "idle_longest_wait_ms": round(max(waits), 1),
        "idle_loop_gap_ms": round(max(gaps), 1),
    }
    gaps.clear()
    waits.clear()
    started = time.perf_counter()
    await asyncio.to_thread(index.client.optimize, "images")
    while await asyncio.to_thread(index.indexed) < points:
        await ask()
    took_s = time.perf_counter() - started
    beating.cancel()
    return {
        **idle,
        "build_s": round(took_s, 1),
        "build_queries": len(waits),
        "wait_p95_ms": round(float(np.percentile(waits, 95)), 2),
        "longest_wait_ms": round(max(waits), 1),
        "loop_gap_ms": round(max(gaps), 1),
    }


@contextmanager
def running(folder: Path, layout: Quantization) -> Iterator[Index]:
    """An index process on an empty folder."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="index-growth-") as place:
        index = Index(Path(place), layout)
        try:
            yield index
        finally:
            index.close()


def grow(folder: Path, layout: Quantization, sizes: list[int]) -> Iterator[dict[str, Any]]:
    """One row for each size."""
    queries = clustered(QUERIES, 0)
    with running(folder, layout) as index:
        for block in range(max(sizes) // BLOCK):
            index.client.insert("images", points_of(block))
            points = (block + 1) * BLOCK
            if points not in sizes:
                continue
            scan = [index.ask(query)[1] for query in queries[:50]]
            build = asyncio.run(watch_build(index, queries, points))
            search = measure_search(index, queries)
            memory = index.memory()
            kept = memory["originals_mib"] if layout is not Quantization.NONE else 0.0
            yield {
                "layout": layout.value,
                "points": points,
                "scan_p50_ms": round(float(np.median(scan)), 2),
                **search,
                **memory,
                "index_mib": round(memory["rss_mib"] - kept, 1),
                **build,
            }


def main() -> None:
    """Measure, print a table, and write JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.index_growth", description=__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--layouts", type=Quantization, nargs="+", default=list(Quantization)[1:])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if any(size % BLOCK for size in options.points):
        parser.error(f"sizes are multiples of {BLOCK}")
    rows = []
    for layout in options.layouts:
        for row in grow(options.folder, layout, options.points):
            rows.append(row)
            print(json.dumps(row), flush=True)
    for columns in (COLUMNS, (*COLUMNS[:2], *BUILD_COLUMNS)):
        table = Table(*columns)
        for row in rows:
            table.add_row(*(str(row[name]) for name in columns))
        Console(width=120).print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
