"""The services that are searched: an embedded stack over the same points as a stock service."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.http_load import Load, run_load
from bench.search_points import SearchPoints
from sightline.index import CollectionSpec, VectorIndex
from sightline.payload import indexed_fields
from sightline_local.commands.demo import free_port

CLIENTS = (1, 8, 32)
COLLECTION = "images"
LIMIT = 20


@dataclass(frozen=True)
class Service:
    """A service to load: `path` has `{}` where the text goes."""

    name: str
    port: int
    path: str

    def load(self, clients: int, seconds: float, seed: int) -> Load:
        """Have so many clients search."""
        return run_load(self.port, [self.path], clients=clients, seconds=seconds, seed=seed)


def fill(index: VectorIndex, points: SearchPoints) -> None:
    """Insert the points into the collection that searches use."""
    spec = CollectionSpec(COLLECTION, points.space, points.vectors.shape[1], indexed_fields({}))
    index.ensure_collection(spec)
    index.insert(COLLECTION, points.records())


@contextmanager
def stock_service(weights: Path, points_file: Path) -> Iterator[Service]:
    """The stock service in a process of its own, ready."""
    port = free_port()
    command = [sys.executable, "-m", "bench.stock_service", str(weights), str(points_file), str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/openapi.json").raise_for_status()
                break
            if process.poll() is not None:
                raise RuntimeError("the stock service did not start")
            time.sleep(0.2)
        yield Service("stock", port, f"/search?q={{}}&limit={LIMIT}")
    finally:
        process.kill()
        process.wait()
