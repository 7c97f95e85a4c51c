"""Whether a simulation of ingest and search, given what stages cost alone, foretells what the whole reaches.

    python -m bench.simulation [--points 2000 20000 100000] [--runs 3] [--files 160] [--json FILE]

On one embedded stack: stages alone, the whole path, the stages again, and so on, at three sizes of a
collection for searches and three sizes of pictures for ingest. The simulation (bench/simulated_search.py and
bench/simulated_ingest.py) knows the shape of the path and what stages cost alone; nothing is fitted to the
whole. Each turn is foretold from the stages before and after it, and from the cores that other processes left
(bench/free_cores.py). Figures are medians over the turns, the error that of the medians.
"""

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from bench.command import add_cache, measure_and_print, parser_of
from bench.corpora import CORPORA, make_corpus
from bench.embedded_stack import embedded_stack
from bench.folder_job import index_folder
from bench.free_cores import FreeCores
from bench.http_load import Load
from bench.ingest_stages import IngestStages
from bench.machine import cores_and_processor
from bench.search_points import SearchPoints, make_points
from bench.search_services import COLLECTION, LIMIT, Service
from bench.search_stages import SearchStages
from bench.simulated_ingest import Embedders, simulate_ingest
from bench.simulated_search import simulate_searches
from bench.simulation_tables import tables
from sightline.decoder import usable_cores
from sightline.encoder.artifact import open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.index import CollectionSpec, VectorIndex
from sightline.index.edge.client import EdgeClient
from sightline.payload import indexed_fields
from sightline.settings import Settings
from sightline_local.data_folder import DataFolder

CLIENTS = (1, 4, 16)
WITHIN = 0.2
"""What a prediction may miss by."""
_SIMULATED_S = 20.0
_FREE_S = 0.3
_BUILD_PATIENCE_S = 1_800.0
_FEW = 32


def compare_searches(
    stages: SearchStages, ours: Service, free: FreeCores, *, seconds: float, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Turns: the whole at each number of clients, and what the parts, measured before and after, foretell.

    There is one turn for each seed. One that was used before asks for texts that the gateway remembers.
    """
    turns = []
    before = stages.measure(COLLECTION, seconds, free)
    for seed in seeds:
        whole = {clients: _load(ours, free, clients, seconds, seed) for clients in CLIENTS}
        after = stages.measure(COLLECTION, seconds, free)
        costs = before.and_then(after).costs()
        turn: dict[str, Any] = {"costs": _costs(costs)}
        for clients, (load, cores) in whole.items():
            told = simulate_searches(costs, cores=cores, clients=clients, seconds=_SIMULATED_S, seed=seed)
            measured = load.latencies_ms
            turn[str(clients)] = {
                "free_cores": cores,
                **_beside("p50_ms", told.percentile(50), float(np.percentile(measured, 50))),
                **_beside("p95_ms", told.percentile(95), float(np.percentile(measured, 95))),
                **_beside("per_second", told.per_second, load.per_second),
            }
        turns.append(turn)
        before = after
    return turns


def _load(ours: Service, free: FreeCores, clients: int, seconds: float, seed: int) -> tuple[Load, float]:
    before = free.count(_FREE_S)
    load = ours.load(clients, seconds, seed)
    return load, mean([before, free.count(_FREE_S)])


def _beside(name: str, foretold: float, measured: float) -> dict[str, dict[str, float]]:
    return {name: {"foretold": foretold, "measured": measured, "error": foretold / measured - 1}}


def _costs(costs: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(costs).items() if not name.endswith("_spread")}


def compare_ingest(
    stages: IngestStages, folder: Path, free: FreeCores, *, collection: str, seconds: float, runs: int
) -> list[dict[str, Any]]:
    """Turns: the whole path into a new collection, and what the stages before and after foretell of it."""
    turns = []
    index_folder(stages.api, folder, collection)
    before = stages.measure(folder, collection, seconds, free)
    for run in range(runs):
        free_before = free.count(_FREE_S)
        job = index_folder(stages.api, folder, f"{collection}-{run}")
        cores = mean([free_before, free.count(_FREE_S)])
        after = stages.measure(folder, collection, seconds, free)
        costs = before.and_then(after)
        machine = Embedders(cores=cores, decode_processes=usable_cores())
        told = simulate_ingest(costs, job.pictures, machine)
        turns.append(
            {
                "free_cores": cores,
                "costs": _costs(costs),
                "pictures": job.pictures,
                **_beside("per_second", told, job.pictures / job.seconds),
            }
        )
        before = after
    return turns


def _grow(index: VectorIndex, points: SearchPoints, first: int, size: int) -> None:
    """Insert points up to a size, and wait until those are in HNSW that the index wants there."""
    index.insert(COLLECTION, points.records(first, size))
    deadline = time.monotonic() + _BUILD_PATIENCE_S
    while size >= Settings().index_rebuild_points and index.collection(COLLECTION).indexed < size:
        if time.monotonic() > deadline:
            raise RuntimeError(f"HNSW of {size:,} points was not built in {_BUILD_PATIENCE_S:.0f} s")
        time.sleep(0.5)


def summary(turns: Sequence[dict[str, Any]], figures: Sequence[str]) -> dict[str, Any]:
    """The medians of what was foretold and of what was measured, for each figure, and how far they differ."""
    found: dict[str, Any] = {}
    for figure in figures:
        told, seen = (median(turn[figure][name] for turn in turns) for name in ("foretold", "measured"))
        found |= _beside(figure, told, seen)
    return found


def measure(
    *,
    points: Sequence[int],
    corpora: Sequence[str],
    runs: int,
    seconds: float,
    files: int,
    model: Path,
    cache: Path,
) -> dict[str, Any]:
    """Start a stack and run in turns; searches by number of points, ingest by corpus."""
    artifact, cache = open_artifact(model.resolve()), cache.resolve()
    made = make_points(max(points), artifact.manifest.dimension, artifact.manifest.space)
    folders = {name: make_corpus(CORPORA[name], files, cache) for name in corpora}
    few = make_corpus(CORPORA["web"], _FEW, cache)
    search: dict[str, Any] = {}
    ingest: dict[str, Any] = {}
    with ExitStack() as opened:
        data = Path(opened.enter_context(tempfile.TemporaryDirectory())).resolve() / "data"
        stack, api = opened.enter_context(embedded_stack(data, str(artifact.path), cache))
        index = opened.enter_context(closing(EdgeClient(DataFolder(data).runtime / "index.sock")))
        free = opened.enter_context(FreeCores())
        encoder = OpenVinoEncoder(artifact)
        spec = CollectionSpec(COLLECTION, made.space, artifact.manifest.dimension, indexed_fields({}))
        index.ensure_collection(spec)
        assert api.base_url.port is not None
        ours = Service("sightline", api.base_url.port, f"/v1/search?q={{}}&limit={LIMIT}")
        searching = SearchStages(stack, ours.port, index, made, encoder)
        for first, size in pairwise([0, *sorted(points)]):
            _grow(index, made, first, size)
            ours.load(4, 1.0, seed=0)
            seeds = range(size + 1, size + 1 + runs)
            turns = compare_searches(searching, ours, free, seconds=seconds, seeds=seeds)
            search[str(size)] = {
                clients: summary([turn[clients] for turn in turns], ("p50_ms", "p95_ms", "per_second"))
                for clients in map(str, CLIENTS)
            } | {"turns": turns}
        ingesting = IngestStages(stack, api, index, encoder, few)
        for name, folder in folders.items():
            turns = compare_ingest(
                ingesting, folder, free, collection=name.replace(".", "-"), seconds=seconds, runs=runs
            )
            ingest[CORPORA[name].name] = summary(turns, ("per_second",)) | {"turns": turns}
    return {
        "machine": cores_and_processor(),
        "numerics": encoder.numerics,
        "search": search,
        "ingest": ingest,
    }


def main() -> None:
    """Print tables; with --json write the figures to a file."""
    parser = parser_of(__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[2_000, 20_000, 100_000])
    parser.add_argument("--corpora", nargs="+", choices=list(CORPORA), default=list(CORPORA))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each stage and load")
    parser.add_argument("--files", type=int, default=160, help="pictures of a job")
    add_cache(parser)
    measure_and_print(parser, measure, tables)


if __name__ == "__main__":
    main()
