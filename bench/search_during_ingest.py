"""Whether searches keep their latency while pictures are taken in on the same machine, and the reverse.

    python -m bench.search_during_ingest [--runs 5] [--files 480] [--json FILE]

On one embedded stack, in turns: 5 searches a second with nothing else going on; a folder job of
1024x768 pictures alone; the same job under 5 searches a second. Every text is new, latencies count from
when a search was due, and the clients are in a process of their own. Medians over the runs; ratios are
taken in each run.
"""

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.table import Table

from bench.command import add_cache, measure_and_print, parser_of
from bench.corpora import WEB, make_corpus
from bench.embedded_stack import embedded_stack
from bench.folder_job import index_folder
from bench.http_load import run_load
from bench.search_latency import medians
from bench.search_points import make_points
from bench.search_services import LIMIT, fill
from sightline.encoder.artifact import open_artifact
from sightline.index.edge.client import EdgeClient
from sightline_local.data_folder import DataFolder

PER_SECOND = 5.0
_IDLE_S = 12.0
_LONGER = 1.8
"""The searches last so many times as long as the job alone; those after its end are not counted."""


class Bench:
    """A stack that is ready, and a folder of pictures."""

    def __init__(self, api: httpx.Client, folder: Path) -> None:
        self._api = api
        self._folder = folder
        self._jobs = count(1)
        self._loads = count(1)

    def search(self, seconds: float) -> list[float]:
        """Search for so long; latencies in milliseconds, in the order in which they were due."""
        port = self._api.base_url.port
        assert port is not None
        path = f"/v1/search?q={{}}&limit={LIMIT}"
        seed = next(self._loads)
        load = run_load(port, [path], clients=1, seconds=seconds, seed=seed, per_second=PER_SECOND)
        return load.latencies_ms

    def ingest(self) -> tuple[float, float]:
        """Index the folder into a new collection; pictures per second, and the seconds it took."""
        job = index_folder(self._api, self._folder, f"bench-{next(self._jobs)}", poll_s=0.5)
        return job.pictures / job.seconds, job.seconds

    def run(self) -> dict[str, float]:
        """One turn."""
        load_before = os.getloadavg()[0]
        idle = self.search(_IDLE_S)
        alone, alone_s = self.ingest()
        with ThreadPoolExecutor(1) as pool:
            searching = pool.submit(self.search, alone_s * _LONGER)
            together, together_s = self.ingest()
            during = searching.result()[: int(together_s * PER_SECOND)]
        return {
            "load_before": load_before,
            **_latencies("idle", idle),
            **_latencies("during", during),
            "p95_ratio": float(np.percentile(during, 95) / np.percentile(idle, 95)),
            "ingest_alone": alone,
            "ingest_under_searches": together,
            "ingest_kept": together / alone,
        }


def _latencies(name: str, values_ms: Sequence[float]) -> dict[str, float]:
    return {f"{name}_p{p}_ms": float(np.percentile(values_ms, p)) for p in (50, 95, 99)}


def measure(*, runs: int, files: int, points: int, model: Path, cache: Path) -> dict[str, Any]:
    """Start the stack, fill its collection, and run in turns."""
    artifact = open_artifact(model.resolve())
    cache = cache.resolve()
    pictures = make_corpus(WEB, files, cache)
    with ExitStack() as opened:
        data = Path(opened.enter_context(tempfile.TemporaryDirectory())).resolve() / "data"
        _, api = opened.enter_context(embedded_stack(data, str(artifact.path), cache))
        index = opened.enter_context(closing(EdgeClient(DataFolder(data).runtime / "index.sock")))
        fill(index, make_points(points, artifact.manifest.dimension, artifact.manifest.space))
        bench = Bench(api, pictures)
        bench.ingest()
        turns = [bench.run() for _ in range(runs)]
    return {"files": files, "points": points, "medians": medians(turns), "runs": turns}


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures for a reader."""
    title = f"{PER_SECOND:g} searches a second among {found['points']:,} points, idle and during ingest"
    table = Table("", "median", title=title)
    for name, value in found["medians"].items():
        table.add_row(name, f"{value:.2f}")
    return [table]


def main() -> None:
    """Print a table; with --json write the figures to a file."""
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--files", type=int, default=480, help="pictures of one job")
    parser.add_argument("--points", type=int, default=10_000, help="points in the collection searched")
    add_cache(parser)
    measure_and_print(parser, measure, tables)


if __name__ == "__main__":
    main()
