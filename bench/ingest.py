"""How fast pictures are indexed, against the stock loop and against the best these cores could do.

    python -m bench.ingest [--corpus photos-1mb photos-3.8mb web] [--runs 3] [--json FILE]

For each corpus, in turns on the same files: the stock loop (Pillow, sentence-transformers, upsert); an
embedded stack that takes a folder job through queue, ledger, thumbnails and index; and decoding, encoder
and thumbnails alone. Figures are pictures per second, medians over the runs; ratios are taken in each run.

SIGHTLINE_PRECISION and other settings in the environment apply.

A second table has the processor time that a picture costs: where others use the machine, rates say little
(the embedder, which gives way to searches, gives way to them too), while these figures hold.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from bench.corpora import CORPORA, make_corpus, megabytes_per_file
from bench.cpu_time import cpu_seconds, ms_per_picture
from bench.ingest_memory import embedded_stack
from bench.stages import StageRates, Stages
from bench.stock_ingest import StockLoop

_STAGE_S = 1.5
_FIRST_FILES = 32


@dataclass(frozen=True)
class Run:
    """Pictures per second in one turn, the machine's load before it, and milliseconds of processor time
    per picture, Sightline's by kind of process."""

    stock: float
    sightline: float
    stages: StageRates
    load_before: float
    stock_cpu_ms: float
    cpu_ms: dict[str, float]

    @property
    def over_stock(self) -> float:
        """How many times the stock loop."""
        return self.sightline / self.stock

    @property
    def cpu_of_stock(self) -> float:
        """How many times more processor time the stock loop takes."""
        return self.stock_cpu_ms / sum(self.cpu_ms.values())

    @property
    def cpu_of_stages(self) -> float:
        """The share of the processor time that goes into decoding, encoding and thumbnails."""
        return self.stages.cpu_ms / sum(self.cpu_ms.values())

    @property
    def of_roofline(self) -> float:
        """Share of what the three stages could reach together."""
        return self.sightline / self.stages.together


class Bench:
    """Everything that is measured, started once."""

    def __init__(self, stock: StockLoop, stack: psutil.Process, api: httpx.Client, stages: Stages) -> None:
        self._stock = stock
        self._stack = stack
        self._api = api
        self._stages = stages
        self._jobs = 0

    def run(self, folder: Path, stock_files: int) -> Run:
        """One turn."""
        load = os.getloadavg()[0]
        before = cpu_seconds(self._stock.process)
        stock = self._stock.pictures_per_s(folder, stock_files)
        stock_ms = ms_per_picture(before, cpu_seconds(self._stock.process), stock_files)
        before = cpu_seconds(self._stack)
        sightline = self.index(folder)
        cpu_ms = ms_per_picture(before, cpu_seconds(self._stack), len(list(folder.iterdir())))
        stages = self._stages.measure(folder, _STAGE_S)
        return Run(stock, sightline, stages, load, sum(stock_ms.values()), cpu_ms)

    def index(self, folder: Path) -> float:
        """Index a folder into a new collection: pictures per second from request to the job's end."""
        self._jobs += 1
        body = {"source": {"kind": "folder", "path": str(folder)}, "collection": f"bench-{self._jobs}"}
        started = time.time()
        job = self._api.post("/v1/ingest", json=body).raise_for_status().json()
        while not job["finished_at"]:
            time.sleep(0.2)
            job = self._api.get(f"/v1/jobs/{job['id']}").raise_for_status().json()
        if job["counts"]["indexed"] != job["counts"]["total"]:
            raise RuntimeError(f"not every picture was indexed: {job['counts']}")
        return float(job["counts"]["total"] / (_seconds(job["finished_at"]) - started))


def _seconds(time_of_day: str) -> float:
    return datetime.fromisoformat(time_of_day).timestamp()


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


def table(figures: dict[str, dict[str, Any]], title: str) -> Table:
    """The figures for a reader."""
    shown = Table(title=title)
    for column in (
        "pictures/s", "stock loop", "Sightline", "x stock", "decode", "encode", "thumbs", "roofline",
        "of roofline", "load",
    ):  # fmt: skip
        shown.add_column(column, justify="left" if column == "pictures/s" else "right")
    for name, one in figures.items():
        shown.add_row(
            name,
            *(f"{one[key]:.1f}" for key in ("stock", "sightline")),
            f"{one['over_stock']:.1f}",
            *(f"{one[key]:.0f}" for key in ("decode", "encode", "thumbnail")),
            f"{one['roofline']:.1f}",
            f"{one['of_roofline']:.0%}",
            f"{one['load_before']:.1f}",
        )
    return shown


def cpu_table(figures: dict[str, dict[str, Any]]) -> Table:
    """What a picture costs, for a reader."""
    shown = Table(title="processor time per picture")
    for column in ("ms/picture", "stock loop", "Sightline", "x stock", "stages", "in stages", "where"):
        shown.add_column(column, justify="left" if column in ("ms/picture", "where") else "right")
    for name, one in figures.items():
        shown.add_row(
            name,
            f"{one['stock_cpu_ms']:.0f}",
            f"{one['cpu_ms']:.1f}",
            f"{one['cpu_of_stock']:.1f}",
            f"{one['stages_cpu_ms']:.1f}",
            f"{one['cpu_of_stages']:.0%}",
            ", ".join(f"{process} {ms:.1f}" for process, ms in one["cpu_ms_by_process"].items()),
        )
    return shown


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run everything; the figures by corpus, and what they were taken on."""
    cache = options.cache.resolve()
    folders = {
        name: make_corpus(CORPORA[name], options.files if name != "web" else 2 * options.files, cache)
        for name in options.corpus
    }
    first = make_corpus(CORPORA["web"], _FIRST_FILES, cache)
    figures: dict[str, dict[str, Any]] = {}
    with (
        tempfile.TemporaryDirectory() as temporary,
        StockLoop(options.weights.resolve()) as stock,
        Stages(options.model) as stages,
        embedded_stack(Path(temporary).resolve() / "data", str(options.model.resolve()), cache) as (
            stack,
            api,
        ),
    ):
        bench = Bench(stock, stack, api, stages)
        bench.index(first)
        stock.pictures_per_s(first, _FIRST_FILES)
        for name, folder in folders.items():
            stock_files = options.stock_files if name != "web" else 4 * options.stock_files
            runs = [bench.run(folder, stock_files) for _ in range(options.runs)]
            figures[CORPORA[name].name] = summary(runs, megabytes_per_file(folder))
        machine = f"{os.cpu_count()} x {_processor()}"
        return {"machine": machine, "numerics": stages.numerics, "corpora": figures}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "")


def main() -> None:
    """Print a table; with --json write the figures to a file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    models = Path(".cache/models")
    parser.add_argument("--corpus", nargs="+", choices=list(CORPORA), default=list(CORPORA))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--files", type=int, default=160, help="photos per run; twice as many from the web")
    parser.add_argument("--stock-files", type=int, default=32, help="photos the stock loop is given")
    parser.add_argument("--model", type=Path, default=models / "clip-b32-random", help="artifact folder")
    parser.add_argument("--weights", type=Path, default=models / "clip-b32-random-weights",
                        help="the same model as sentence-transformers loads it")  # fmt: skip
    parser.add_argument("--cache", type=Path, default=Path(".cache/bench"), help="where corpora are kept")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    found = measure(options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    console = Console(width=130)
    console.print(table(found["corpora"], f"ingest on {found['machine']}, {found['numerics']}"))
    console.print(cpu_table(found["corpora"]))


if __name__ == "__main__":
    main()
