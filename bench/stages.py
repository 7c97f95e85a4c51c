"""Decoding, thumbnails and the encoder, each alone on all cores: what the whole path is measured against.

Nothing but the stage's own work is timed: no queue, no process boundary, no index. The best that stages
sharing the same cores can reach is 1 / (1/D + 1/E + 1/T) pictures per second.
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from sightline.decoder.task import FOR_THE_INDEX, DecodePlan, Wanted, decode_picture
from sightline.encoder.artifact import open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.pictures import PictureLimits, open_picture
from sightline.pictures.thumbnails import make_thumbnail
from sightline.settings import Precision, Settings

_PICTURES_KEPT = 6
_BATCH = 32


@dataclass(frozen=True)
class StageRates:
    """Pictures per second of each stage alone, and the processor time that all three take for one."""

    decode: float
    encode: float
    thumbnail: float
    cpu_ms: float

    @property
    def together(self) -> float:
        """The best that the three can reach on the same cores."""
        return 1 / (1 / self.decode + 1 / self.encode + 1 / self.thumbnail)

    def as_json(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"together": self.together}


class Stages:
    """The stages in processes of their own, one per core; the encoder in this one."""

    def __init__(self, model: Path, precision: Precision | None = None) -> None:
        """Load the model, at `precision` or the one that the settings name, and start the processes."""
        settings = Settings()
        artifact = open_artifact(model)
        self._plan = DecodePlan(
            PictureLimits(settings.max_picture_bytes, settings.max_picture_pixels),
            artifact.manifest.preprocessing,
            settings.thumbnail_side,
        )
        self._encoder = OpenVinoEncoder(artifact, precision or settings.precision)
        self._cores = os.cpu_count() or 1
        self._pool = ProcessPoolExecutor(self._cores, get_context("spawn"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    @property
    def numerics(self) -> str:
        """Runtime and precision of the encoder."""
        return self._encoder.numerics

    def measure(self, folder: Path, seconds: float) -> StageRates:
        """Run each stage alone for about so many seconds on files of the folder."""
        files = sorted(folder.iterdir())
        decode = self._side_by_side(partial(_decode, plan=self._plan, seconds=seconds), files)
        encode = self._encode(seconds)
        thumbnail = self._side_by_side(partial(_thumbnails, plan=self._plan, seconds=seconds), files)
        cpu_ms = decode.cpu_ms + encode.cpu_ms + thumbnail.cpu_ms
        return StageRates(decode.per_s, encode.per_s, thumbnail.per_s, cpu_ms)

    def _side_by_side(self, stage: "Callable[[Sequence[Path]], _Pace]", files: Sequence[Path]) -> "_Pace":
        paces = list(self._pool.map(stage, [files[core :: self._cores] for core in range(self._cores)]))
        return _Pace(sum(pace.per_s for pace in paces), sum(pace.cpu_ms for pace in paces) / len(paces))

    def _encode(self, seconds: float) -> "_Pace":
        spec = self._plan.preprocessing
        shape = (_BATCH, len(spec.views), spec.size, spec.size, 3)
        views = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        return _pace(lambda: self._encoder.encode_views(views), _BATCH, seconds)


@dataclass(frozen=True)
class _Pace:
    per_s: float
    cpu_ms: float


def _decode(files: Sequence[Path], plan: DecodePlan, seconds: float) -> _Pace:
    contents = [file.read_bytes() for file in files[: 4 * _PICTURES_KEPT]]
    return _cycled(lambda data: decode_picture(data, plan, Wanted()), contents, seconds)


def _thumbnails(files: Sequence[Path], plan: DecodePlan, seconds: float) -> _Pace:
    side = plan.min_side(FOR_THE_INDEX)
    pictures = [open_picture(file.read_bytes(), plan.limits, side).image for file in files[:_PICTURES_KEPT]]
    return _cycled(lambda picture: make_thumbnail(picture, plan.thumbnail_side), pictures, seconds)


def _cycled(work: Callable[[Any], object], items: Sequence[Any], seconds: float) -> _Pace:
    def once() -> None:
        for item in items:
            work(item)

    return _pace(once, len(items), seconds)


def _pace(work: Callable[[], object], pictures: int, seconds: float) -> _Pace:
    """The pace of calls that do so many pictures each, after one that is not counted."""
    work()
    started, used, calls = time.perf_counter(), time.process_time(), 0
    while (took := time.perf_counter() - started) < seconds or not calls:
        work()
        calls += 1
    done = calls * pictures
    return _Pace(done / took, (time.process_time() - used) / done * 1000)
