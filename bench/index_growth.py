"""How an embedded index grows: speed, recall and memory by number of vectors, and what builds cost others.

    python -m bench.index_growth [--points 10000 50000] [--layouts none turbo4 int8] [--folder DIR] [--json F]

An index process is filled with vectors of 512 dimensions (bench/clustered_points.py). At each size its
HNSW is built while this process asks a query every 50 ms and watches its own event loop, with no other
load. Memory is the proportional share (PSS, so that a page mapped twice counts once) of the process that
holds the shard; `index` leaves out the mappings of original vectors where they are kept on disk.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.clustered_points import clustered, growing
from bench.index_build import watch_build
from bench.index_process import Index, running
from sightline.settings import Quantization

QUERIES = 200
IDLE_S = 10.0
COLUMNS = ("layout", "points", "scan_p50_ms", "p50_ms", "p95_ms", "recall_at_10", "pss_mib", "index_mib")
BUILD_COLUMNS = (
    "build_s",
    "build_queries",
    "idle_p50_ms",
    "idle_longest_wait_ms",
    "longest_wait_ms",
    "idle_loop_gap_ms",
    "loop_gap_ms",
)


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


def grow(folder: Path, layout: Quantization, sizes: Sequence[int], idle_s: float) -> Iterator[dict[str, Any]]:
    """One row for each size."""
    queries = clustered(QUERIES, 0)
    with running(folder, layout) as index:
        for points, made in growing(sizes):
            index.client.insert("images", made)
            if points not in sizes:
                continue
            scan = [index.ask(query)[1] for query in queries[:50]]
            build = asyncio.run(watch_build(index, queries, points, idle_s))
            search = measure_search(index, queries)
            memory = index.memory()
            kept = memory["originals_mib"] if layout is not Quantization.NONE else 0.0
            yield {
                "layout": layout.value,
                "points": points,
                "scan_p50_ms": round(float(np.median(scan)), 2),
                **search,
                **memory,
                "index_mib": round(memory["pss_mib"] - kept, 1),
                **build,
            }


def bytes_per_vector(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """By layout, what one vector more takes in memory: all of it, and without the original vectors.

    The slope between the smallest and the largest size, so that what the process takes anyway does not count.
    """
    found = {}
    for layout in dict.fromkeys(row["layout"] for row in rows):
        ordered = sorted((row for row in rows if row["layout"] == layout), key=lambda row: row["points"])
        first, last = ordered[0], ordered[-1]
        if last["points"] > first["points"]:
            more = last["points"] - first["points"]
            found[layout] = {
                name: round((last[f"{name}_mib"] - first[f"{name}_mib"]) * (1 << 20) / more, 1)
                for name in ("pss", "index")
            }
    return found


def measure(
    points: Sequence[int], layouts: Sequence[Quantization], *, folder: Path, idle_s: float = IDLE_S
) -> dict[str, Any]:
    """One row for each layout and size, printed as soon as it is there."""
    rows = []
    for layout in layouts:
        for row in grow(folder, layout, points, idle_s):
            rows.append(row)
            print(json.dumps(row), flush=True)
    return {"rows": rows, "bytes_per_vector": bytes_per_vector(rows)}


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures for a reader."""
    shown = []
    for columns in (COLUMNS, (*COLUMNS[:2], *BUILD_COLUMNS)):
        table = Table(*columns)
        for row in found["rows"]:
            table.add_row(*(str(row[name]) for name in columns))
        shown.append(table)
    per_vector = Table("bytes per vector", "all", "without original vectors")
    for layout, one in found["bytes_per_vector"].items():
        per_vector.add_row(layout, str(one["pss"]), str(one["index"]))
    return [*shown, per_vector]


def main() -> None:
    """Measure, print a table, and write JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.index_growth", description=__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--layouts", type=Quantization, nargs="+", default=list(Quantization)[1:])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.points, options.layouts, folder=options.folder)
    for table in tables(found):
        Console(width=120).print(table)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
