"""A temporary embedded index of points, with all of them in HNSW."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sightline.encoder.artifact import Manifest
from sightline.index import CollectionSpec, Point, VectorIndex
from sightline.index.tuning import SMALLEST_GRAPH_KB
from sightline.payload import indexed_fields
from sightline.settings import Quantization
from sightline_local.errors import EvaluationError
from sightline_local.index_process import index_process

COLLECTION = "eval"
_FLOAT_BYTES = 4
_BUILD_S = 3_600.0
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class BuiltIndex:
    """An index; `has_graph` is False where so few vectors are all compared, and none is compressed."""

    index: VectorIndex
    has_graph: bool


@contextmanager
def built_index(
    manifest: Manifest, points: Sequence[Point], quantization: Quantization
) -> Iterator[BuiltIndex]:
    """An index process with these points, whose searches walk the graph however few there are.

    Raises EvaluationError if the graph is not built, and Unavailable if the process cannot be started.
    """
    settings = {"SIGHTLINE_QUANTIZATION": quantization.value, "SIGHTLINE_INDEX_FULL_SCAN_KB": "0"}
    with TemporaryDirectory(prefix="sightline-eval-") as place:
        folder = Path(place) / "index"
        with index_process(folder, Path(place) / "index.sock", settings) as (_, index):
            spec = CollectionSpec(COLLECTION, manifest.space, manifest.dimension, indexed_fields({}))
            index.ensure_collection(spec)
            index.insert(COLLECTION, points)
            # Less is never built: waiting for it would take for ever.
            builds = len(points) * manifest.dimension * _FLOAT_BYTES >= SMALLEST_GRAPH_KB << 10
            if builds:
                _build(index, len(points))
            yield BuiltIndex(index, has_graph=builds)


def _build(index: VectorIndex, points: int) -> None:
    index.optimize(COLLECTION)
    until = time.monotonic() + _BUILD_S
    while index.collection(COLLECTION).indexed < points:
        if time.monotonic() > until:
            raise EvaluationError(
                f"The index of {points} vectors was not built within {_BUILD_S / 60:.0f} min."
            )
        time.sleep(_LOOK_EVERY_S)
