"""How fast a text search is over HTTP, against a stock service and against its parts alone.

    python -m bench.search_latency [--points 10000] [--runs 5] [--seconds 4] [--json FILE]

In turns, on the same vectors: an embedded stack and the stock service (bench/stock_service.py) each answer
1, 8 and 32 clients, which are in a process of their own; every text is new. Before each turn the encoder
and the index are called alone. Figures are medians over the runs; ratios are taken in each run.
"""

import os
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench.command import add_weights, measure_and_print, parser_of
from bench.embedded_stack import embedded_stack
from bench.http_load import random_text
from bench.machine import cores_and_processor
from bench.search_points import make_points, save_points
from bench.search_services import CLIENTS, COLLECTION, LIMIT, Service, fill, stock_service
from bench.search_tables import tables
from sightline.encoder import Encoder
from sightline.encoder.artifact import open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.index import SearchQuery, VectorIndex
from sightline.index.edge.client import EdgeClient
from sightline_local.data_folder import DataFolder

_PARTS_CALLS = 60
_WARM_S = 1.5


class Parts:
    """Encoder and index alone, called from this process with nothing else going on."""

    def __init__(self, encoder: Encoder, index: VectorIndex) -> None:
        self._encoder = encoder
        self._index = index

    def measure(self, seed: int) -> dict[str, float]:
        """Median milliseconds of encoding one new text, of one index call, and of both in a row."""
        chance = random.Random(f"parts-{seed}")
        encode_ms, index_ms, both_ms = [], [], []
        for _ in range(_PARTS_CALLS):
            started = time.perf_counter()
            vector = self._encoder.encode_texts([random_text(chance)])[0]
            encoded = time.perf_counter()
            space = self._encoder.manifest.space
            self._index.search(COLLECTION, SearchQuery(vector=vector, space=space, limit=LIMIT))
            done = time.perf_counter()
            encode_ms.append((encoded - started) * 1000)
            index_ms.append((done - encoded) * 1000)
            both_ms.append((done - started) * 1000)
        return {"encode_ms": median(encode_ms), "index_ms": median(index_ms), "both_ms": median(both_ms)}


def one_run(services: Sequence[Service], parts: Parts, seconds: float, seed: int) -> dict[str, Any]:
    """One turn of everything; which service goes first alternates."""
    run: dict[str, Any] = {"load_before": os.getloadavg()[0], "parts": parts.measure(seed)}
    order = services if seed % 2 else services[::-1]
    for clients in CLIENTS:
        for service in order:
            load = service.load(clients, seconds, seed)
            run.setdefault(service.name, {})[str(clients)] = {
                "per_second": load.per_second,
                **{f"p{p}_ms": float(np.percentile(load.latencies_ms, p)) for p in (50, 95, 99)},
            }
    ours, stock = run["sightline"], run["stock"]
    run["over_parts"] = ours["1"]["p50_ms"] / run["parts"]["both_ms"]
    run["faster"] = {str(n): stock[str(n)]["p50_ms"] / ours[str(n)]["p50_ms"] for n in CLIENTS}
    run["throughput"] = {str(n): ours[str(n)]["per_second"] / stock[str(n)]["per_second"] for n in CLIENTS}
    return run


def medians(runs: Sequence[Any]) -> Any:
    """The median of each figure, in the shape of one run."""
    if isinstance(runs[0], dict):
        return {name: medians([run[name] for run in runs]) for name in runs[0]}
    return median(runs)


def measure(*, points: int, runs: int, seconds: float, model: Path, weights: Path) -> dict[str, Any]:
    """Start both services, and run them in turns."""
    artifact = open_artifact(model.resolve())
    made = make_points(points, artifact.manifest.dimension, artifact.manifest.space)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory())).resolve()
        save_points(made, folder / "points.npz")
        _, api = opened.enter_context(embedded_stack(folder / "data", str(artifact.path), folder))
        socket = DataFolder(folder / "data").runtime / "index.sock"
        index = opened.enter_context(closing(EdgeClient(socket)))
        fill(index, made)
        stock = opened.enter_context(stock_service(weights.resolve(), folder / "points.npz"))
        port = api.base_url.port
        assert port is not None
        ours = Service("sightline", port, f"/v1/search?q={{}}&limit={LIMIT}")
        parts = Parts(OpenVinoEncoder(artifact), index)
        parts.measure(seed=0)
        for service in (ours, stock):
            service.load(8, _WARM_S, seed=0)
        turns = [one_run((ours, stock), parts, seconds, seed) for seed in range(1, runs + 1)]
    return {
        "machine": cores_and_processor(),
        "points": points,
        "medians": medians(turns),
        "runs": turns,
    }


def main() -> None:
    """Print tables; with --json write the figures to a file."""
    parser = parser_of(__doc__)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load")
    add_weights(parser)
    measure_and_print(parser, measure, tables)


if __name__ == "__main__":
    main()
