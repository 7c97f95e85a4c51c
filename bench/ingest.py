"""How fast pictures are indexed, against the stock loop and against the best these cores could do.

    python -m bench.ingest [--corpus photos-1mb photos-3.8mb web] [--runs 3] [--json FILE]

For each corpus, in turns on the same files: the stock loop (Pillow, sentence-transformers, upsert); an
embedded stack that takes a folder job through queue, ledger, thumbnails and index; and decoding, encoder
and thumbnails alone. Figures are pictures per second, medians over the runs; ratios are taken in each run.

SIGHTLINE_PRECISION and other settings in the environment apply.

A second table has the processor time that a picture costs: where others use the machine, rates say little
(the embedder, which gives way to searches, gives way to them too), while these figures hold.
"""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from bench.command import add_cache, add_weights, measure_and_print, parser_of
from bench.corpora import CORPORA, make_corpus, megabytes_per_file
from bench.embedded_stack import embedded_stack
from bench.ingest_tables import tables
from bench.ingest_turns import Bench, Run
from bench.machine import cores_and_processor
from bench.stages import Stages
from bench.stock_ingest import StockLoop
from sightline.settings import Precision

_FIRST_FILES = 32


def summary(runs: list[Run], megabytes: float) -> dict[str, Any]:
    """Medians, and every run."""
    return {
        "megabytes_per_file": round(megabytes, 2),
        "stock": median(run.stock for run in runs),
        "sightline": median(run.sightline for run in runs),
        "decode": median(run.stages.decode for run in runs),
        "encode": median(run.stages.encode for run in runs),
        "thumbnail": median(run.stages.thumbnail for run in runs),
        "roofline": median(run.stages.together for run in runs),
        "over_stock": median(run.over_stock for run in runs),
        "of_roofline": median(run.of_roofline for run in runs),
        "load_before": median(run.load_before for run in runs),
        "stock_cpu_ms": median(run.stock_cpu_ms for run in runs),
        "cpu_ms": median(sum(run.cpu_ms.values()) for run in runs),
        "cpu_ms_by_process": runs[-1].cpu_ms,
        "stages_cpu_ms": median(run.stages.cpu_ms for run in runs),
        "cpu_of_stock": median(run.cpu_of_stock for run in runs),
        "cpu_of_stages": median(run.cpu_of_stages for run in runs),
        "runs": [asdict(run) for run in runs],
    }


def measure(
    corpora: Sequence[str],
    *,
    runs: int,
    files: int,
    stock_files: int,
    model: Path,
    weights: Path,
    cache: Path,
    precision: Precision | None = None,
) -> dict[str, Any]:
    """Run everything; the figures by corpus, and what they were taken on.

    `files` photos go into a job, twice as many from the web; the stock loop is given `stock_files`, and
    four times as many from the web. `precision` comes before the one in the environment.
    """
    cache = cache.resolve()
    folders = {
        name: make_corpus(CORPORA[name], files if name != "web" else 2 * files, cache) for name in corpora
    }
    first = make_corpus(CORPORA["web"], _FIRST_FILES, cache)
    settings = {"SIGHTLINE_PRECISION": precision.value} if precision else {}
    figures: dict[str, dict[str, Any]] = {}
    with ExitStack() as opened:
        data = Path(opened.enter_context(tempfile.TemporaryDirectory())).resolve() / "data"
        stock = opened.enter_context(StockLoop(weights.resolve()))
        stages = opened.enter_context(Stages(model, precision))
        stack, api = opened.enter_context(embedded_stack(data, str(model.resolve()), cache, settings))
        bench = Bench(stock, stack, api, stages)
        bench.index(first)
        stock.pictures_per_s(first, _FIRST_FILES)
        for name, folder in folders.items():
            stock_count = stock_files if name != "web" else 4 * stock_files
            turns = [bench.run(folder, stock_count) for _ in range(runs)]
            figures[CORPORA[name].name] = summary(turns, megabytes_per_file(folder))
        return {"machine": cores_and_processor(), "numerics": stages.numerics, "corpora": figures}


def main() -> None:
    """Print a table; with --json write the figures to a file."""
    parser = parser_of(__doc__)
    parser.add_argument("--corpus", dest="corpora", nargs="+", choices=list(CORPORA), default=list(CORPORA))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--files", type=int, default=160, help="photos per run; twice as many from the web")
    parser.add_argument("--stock-files", type=int, default=32, help="photos the stock loop is given")
    add_weights(parser)
    add_cache(parser)
    measure_and_print(parser, measure, tables)


if __name__ == "__main__":
    main()
