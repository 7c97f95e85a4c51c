"""What a picture costs on its way in, stage by stage, each stage alone: what a simulation of ingest is given.

Reading, looking up and recording are measured by a job whose pictures are known already: it does all that and
nothing else. A job of a few such pictures tells what passes before the first batch and after the last.
"""

import os
import tempfile
import time
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from statistics import mean, median

import httpx
import numpy as np
import psutil

from bench.cpu_time import cpu_seconds
from bench.folder_job import index_folder
from bench.free_cores import FreeCores
from bench.search_points import make_points
from bench.simulated_cores import Stage
from bench.simulated_ingest import IngestCosts
from bench.stage_clock import timed
from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.identity import point_id, sha256_of
from sightline.index import CollectionSpec, VectorIndex
from sightline.media import FolderMediaStore
from sightline.payload import indexed_fields
from sightline.settings import Settings
from sightline_local.stage_bench import BATCH, decoded_per_s

_KEPT = 24
_FREE_S = 0.3
_SCRATCH = "scratch"


@dataclass(frozen=True)
class IngestParts:
    """The costs of a picture, and the cores that were free while they were measured."""

    costs: IngestCosts
    free_cores: float

    def and_then(self, later: "IngestParts") -> IngestCosts:
        """The costs between these and those measured later."""
        stages = {
            name: getattr(self.costs, name).between(getattr(later.costs, name))
            for name in ("reading", "decoding", "encoding", "inserting")
        }
        return IngestCosts(**stages, start_s=mean([self.costs.start_s, later.costs.start_s]))


class IngestStages:
    """Measures the stages, some in this process and some in a stack that does nothing else."""

    def __init__(
        self,
        stack: psutil.Process,
        api: httpx.Client,
        index: VectorIndex,
        encoder: Encoder,
        few: Path,
    ) -> None:
        """`few` is a folder of one batch."""
        self.api = api
        self._stack, self._index, self._encoder, self._few = stack, index, encoder, few
        manifest = encoder.manifest
        self._point = make_points(1, manifest.dimension, manifest.space).records()[0]
        self._ids = count()
        index.ensure_collection(
            CollectionSpec(_SCRATCH, manifest.space, manifest.dimension, indexed_fields({}))
        )
        index_folder(api, few, "few")

    def measure(self, folder: Path, collection: str, seconds: float, free: FreeCores) -> IngestParts:
        """Each stage alone, on pictures of a folder that are in the collection."""
        before = free.count(_FREE_S)
        decoding, thumbnail = self._decoding(folder, seconds)
        middle = free.count(_FREE_S)
        encoding = self._encoding(seconds, mean([before, middle]))
        inserting = self._inserting(thumbnail, seconds / 2, middle)
        reading, start_s = self._reading(folder, collection)
        costs = IngestCosts(reading, decoding, encoding, inserting, start_s)
        return IngestParts(costs, mean([before, middle, free.count(_FREE_S)]))

    def _decoding(self, folder: Path, seconds: float) -> tuple[Stage, bytes]:
        """Decoding with the thumbnail, in processes as an embedder has them; and a thumbnail."""
        files = [file.read_bytes() for file in sorted(folder.iterdir())[:_KEPT]]
        done: list[float] = []
        with _decoder(self._encoder, done) as decoder:
            decoder.warm()
            thumbnail = decoder.submit(files[0]).result().thumbnail
            done.clear()
            here, before = time.process_time(), _decoders_s()
            decoded_per_s(decoder, files, seconds)
            used_s = time.process_time() - here + _decoders_s() - before
        return Stage(used_s / len(done)), thumbnail or b""

    def _encoding(self, seconds: float, free_cores: float) -> Stage:
        spec = self._encoder.manifest.preprocessing
        shape = (BATCH, len(spec.views), spec.size, spec.size, 3)
        views = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        calls = timed(lambda: self._encoder.encode_views(views), seconds)
        cores = os.cpu_count() or 1
        width = float(np.clip(calls.cpu_s / median(calls.took_s) * cores / free_cores, 1.0, cores))
        return calls.stage(free_cores, width).times(1 / BATCH)

    def _inserting(self, thumbnail: bytes, seconds: float, free_cores: float) -> Stage:
        """A batch of points, and the files of their thumbnails."""
        with tempfile.TemporaryDirectory() as place:
            media = FolderMediaStore(Path(place))

            def once() -> None:
                batch = [
                    replace(self._point, id=point_id(sha256_of(b"%d" % next(self._ids))))
                    for _ in range(BATCH)
                ]
                for point in batch:
                    media.put_thumbnail(_SCRATCH, point.id, thumbnail)
                self._index.insert(_SCRATCH, batch)

            calls = timed(once, seconds, lambda: cpu_seconds(self._stack).get("index", 0.0))
        return calls.stage(free_cores).times(1 / BATCH)

    def _reading(self, folder: Path, collection: str) -> tuple[Stage, float]:
        few = index_folder(self.api, self._few, "few", known=True)
        before = cpu_seconds(self._stack)
        job = index_folder(self.api, folder, collection, known=True)
        used = cpu_seconds(self._stack)
        more = job.pictures - few.pictures
        took_s = max(0.0, job.seconds - few.seconds) / more
        cpu_s = sum(used[name] - before.get(name, 0.0) for name in used if name != "other") / job.pictures
        start_s = max(0.0, few.seconds - few.pictures * took_s)
        return Stage(cpu_s, wait_s=max(0.0, took_s - cpu_s)), start_s


def _decoder(encoder: Encoder, done: list[float]) -> PictureDecoder:
    settings = Settings()
    preprocessing = encoder.manifest.preprocessing
    return PictureDecoder.of(
        settings, preprocessing, processes=settings.decode_processes, on_decoded=done.append
    )


def _decoders_s() -> float:
    return cpu_seconds(psutil.Process()).get("decoders", 0.0)
