"""One turn of ingest: the stock loop, an embedded stack and the stages alone, on the same files."""

import os
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.cpu_time import cpu_seconds, ms_per_picture
from bench.folder_job import index_folder
from bench.stages import StageRates, Stages
from bench.stock_ingest import StockLoop

_STAGE_S = 1.5


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
        job = index_folder(self._api, folder, f"bench-{self._jobs}")
        return job.pictures / job.seconds
