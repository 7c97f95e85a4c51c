"""An index process as an embedded stack has it, which builds HNSW only when asked."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from bench.clustered_points import DIMENSION, SPACE
from sightline.index import CollectionSpec, SearchQuery
from sightline.index.edge.client import EdgeClient
from sightline.payload import indexed_fields
from sightline.settings import Quantization


class Index:
    """An index process on a folder, and its client."""

    def __init__(self, folder: Path, layout: Quantization) -> None:
        """Start it, with an empty collection; it builds only when asked."""
        socket = Path(tempfile.mkdtemp(prefix="sl-")) / "index.sock"
        command = [sys.executable, "-m", "sightline.index.edge.process"]
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
        """Memory of the process that holds the shard, in MiB: all, and of original vectors."""
        children = psutil.Process(self.process.pid).children()
        holders = [one for one in children if "sightline.index.edge.shard_process" in one.cmdline()]
        pid = holders[0].pid if holders else self.process.pid
        resident, originals, mapping = 0, 0, ""
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                mapping = line
            elif line.startswith("Pss:"):
                kib = int(line.split()[1])
                resident += kib
                originals += kib if re.search(r"/vector_storage/(?!quantized)", mapping) else 0
        return {"pss_mib": round(resident / 1024, 1), "originals_mib": round(originals / 1024, 1)}


@contextmanager
def running(folder: Path, layout: Quantization) -> Iterator[Index]:
    """An index process on an empty folder."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="index-growth-") as place:
        index = Index(Path(place), layout)
        try:
            yield index
        finally:
            index.close()
