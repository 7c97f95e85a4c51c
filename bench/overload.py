"""What 400 clients at once do to a gateway whose limits are low: to those it serves, and to itself.

    python -m bench.overload [--runs 5] [--seconds 10] [--points 10000] [--places 1 2] [--json FILE]

On an embedded stack that serves as many searches at a time as there are places, and as many uploads, in
turns: one client that searches, with nothing else going on; one that searches while two others upload; 200
clients that search and 200 that upload, each again as soon as `Retry-After` lets it; and the first once
more. The clients are in a process of their own on the same cores. Medians over the runs.
"""

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from rich.table import Table

from bench.command import add_cache, measure_and_print, parser_of
from bench.corpora import WEB, make_corpus
from bench.embedded_stack import embedded_stack
from bench.flood import Flood, run_flood
from bench.search_latency import medians
from bench.search_points import make_points
from bench.search_services import fill
from sightline.encoder.artifact import Artifact, open_artifact
from sightline.index.edge.client import EdgeClient
from sightline_local.data_folder import DataFolder

CLIENTS = 400
PLACES = (1, 2)
_FILES = 64
_MIB = 1 << 20


class Bench:
    """A stack that is ready, and pictures to upload."""

    def __init__(self, api: httpx.Client, gateway: psutil.Process, pictures: Path, seconds: float) -> None:
        self._api = api
        self._gateway = gateway
        self._pictures = pictures
        self._seconds = seconds
        self._seeds = count(1)

    def run(self) -> dict[str, float]:
        """One turn."""
        load_before = os.getloadavg()[0]
        idle = self._flood(clients=1, uploads=0)
        uploading = self._flood(clients=3, uploads=2 / 3)
        before = self._memory_mib()
        flood = self._flood(clients=CLIENTS, uploads=0.5)
        memory = self._memory_mib()
        after = self._flood(clients=1, uploads=0)
        refused = flood.search.refused + flood.upload.refused
        idle_p95 = _p95(idle.search.admitted)
        return {
            "load_before": load_before,
            "idle_p50_ms": float(np.median(idle.search.admitted)),
            "idle_p95_ms": idle_p95,
            "beside_uploads_p95_ms": _p95(uploading.search.admitted),
            "flood_admitted_p50_ms": float(np.median(flood.search.admitted)),
            "flood_admitted_p95_ms": _p95(flood.search.admitted),
            "p95_ratio": _p95(flood.search.admitted) / idle_p95,
            "flood_admitted_per_s": len(flood.search.admitted) / self._seconds,
            "flood_uploads_per_s": len(flood.upload.admitted) / self._seconds,
            "flood_refused_per_s": len(refused) / self._seconds,
            "refused_p50_ms": float(np.median(refused)),
            "refused_p95_ms": _p95(refused),
            "refused_max_ms": max(refused),
            "other_answers": float(flood.other.total()),
            "memory_before_mib": before,
            "memory_after_mib": memory,
            "afterwards_p95_ms": _p95(after.search.admitted),
        }

    def _flood(self, clients: int, uploads: float) -> Flood:
        port = self._api.base_url.port
        assert port is not None
        return run_flood(
            port,
            clients=clients,
            uploads=uploads,
            seconds=self._seconds,
            pictures=self._pictures,
            seed=next(self._seeds),
        )

    def _memory_mib(self) -> float:
        return self._gateway.memory_info().rss / _MIB


def measure(
    *, runs: int, seconds: float, points: int, model: Path, cache: Path, places: Sequence[int] = PLACES
) -> dict[str, Any]:
    """All figures: for each number of places `medians`, and each of the `runs`."""
    artifact = open_artifact(model.resolve())
    pictures = make_corpus(WEB, _FILES, cache.resolve())
    limited = []
    for at_a_time in places:
        turns = _turns(at_a_time, runs, seconds, points, artifact, pictures)
        limited.append({"places": at_a_time, "medians": medians(turns), "runs": turns})
    return {"clients": CLIENTS, "points": points, "limited": limited}


def _turns(
    places: int, runs: int, seconds: float, points: int, artifact: Artifact, pictures: Path
) -> list[dict[str, float]]:
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory())).resolve() / "data"
        supervisor, api = stack.enter_context(
            embedded_stack(data, str(artifact.path), pictures, _limits(places))
        )
        with closing(EdgeClient(DataFolder(data).runtime / "index.sock")) as index:
            fill(index, make_points(points, artifact.manifest.dimension, artifact.manifest.space))
        gateway = next(one for one in supervisor.children() if "sightline_api" in one.cmdline())
        bench = Bench(api, gateway, pictures, seconds)
        bench.run()
        return [bench.run() for _ in range(runs)]


def _limits(places: int) -> dict[str, str]:
    return {
        "SIGHTLINE_SEARCH_CONCURRENCY": str(places),
        "SIGHTLINE_UPLOAD_CONCURRENCY": str(places),
        "SIGHTLINE_WAITING_PER_PLACE": "0",
        "SIGHTLINE_MAX_ACTIVE_JOBS": "100000",
    }


def _p95(latencies_ms: Sequence[float]) -> float:
    return float(np.percentile(latencies_ms, 95))


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures for a reader."""
    title = (
        f"{found['clients']} clients, {found['points']:,} points, medians by searches and uploads at a time"
    )
    limited = found["limited"]
    table = Table("", *(str(one["places"]) for one in limited), title=title)
    for name in limited[0]["medians"]:
        table.add_row(name, *(f"{one['medians'][name]:.2f}" for one in limited))
    return [table]


def main() -> None:
    """Print a table; with --json write the figures to a file."""
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--points", type=int, default=10_000, help="points in the collection searched")
    parser.add_argument(
        "--places", type=int, nargs="+", default=PLACES, help="searches, and uploads, at a time"
    )
    add_cache(parser)
    measure_and_print(parser, measure, tables)


if __name__ == "__main__":
    main()
