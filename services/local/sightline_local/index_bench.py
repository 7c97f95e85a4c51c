"""The embedded index, measured: an index process of its own, with random vectors in a temporary folder."""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import psutil

from sightline.encoder.artifact import Manifest
from sightline.identity import point_id, sha256_of, source_key
from sightline.index import CollectionSpec, Point, SearchQuery
from sightline.index.edge.client import EdgeClient
from sightline.index.edge.shard_folder import folder_bytes
from sightline.payload import FieldType, FirstIndexed, Payload, Source
from sightline_local.index_process import index_process

_COLLECTION = "bench"
_POINTS_AT_ONCE = 32
_HITS = 20
_SETTINGS = {"SIGHTLINE_QUANTIZATION": "none", "SIGHTLINE_VECTORS_ON_DISK": "false"}
_LOG = "wal"
_STORED_ONLY = (f"/{_LOG}/", "/payload_storage/")
"""What the engine maps of these the system takes back when it needs the room; they are read from the disk."""


@dataclass(frozen=True)
class IndexFigures:
    """Rates of one client, and what points outside HNSW take, their vectors included.

    Memory is what the index process holds, in bytes: `memory_base` and `memory` for each point. `disk` is
    bytes for a point, without the write-ahead log.
    """

    points: int
    inserts_per_s: float
    search_ms: float
    memory_base: float
    memory: float
    disk: float


def measure_index(
    manifest: Manifest, fields: Mapping[str, FieldType], points: int, search_s: float
) -> IndexFigures:
    """Insert points in batches as an embedder does, search among them for so long, and remove it all.

    Raises Unavailable if the index process cannot be started.
    """
    made = _random_points(manifest, points)
    with TemporaryDirectory(prefix="sightline-bench-") as place:
        folder = Path(place) / "index"
        with index_process(folder, Path(place) / "index.sock", _SETTINGS) as (process, index):
            index.ensure_collection(
                CollectionSpec(_COLLECTION, manifest.space, manifest.dimension, dict(fields))
            )
            empty = _memory(process)
            took_s = _insert_s(index, made[: points // 2])
            # The first points are not counted: what the process takes to begin with does not grow.
            begun = _memory(process)
            took_s += _insert_s(index, made[points // 2 :])
            filled = _memory(process)
            search_ms = _search_ms(index, made, search_s)
        logs = sum(folder_bytes(log) for log in folder.rglob(_LOG))
        disk = (folder_bytes(folder) - logs) / points
    memory = max(0, filled - begun) / (points - points // 2)
    return IndexFigures(
        points, points / took_s, search_ms, max(empty, filled - points * memory), memory, disk
    )


def _insert_s(index: EdgeClient, points: Sequence[Point]) -> float:
    started = time.perf_counter()
    for start in range(0, len(points), _POINTS_AT_ONCE):
        index.insert(_COLLECTION, points[start : start + _POINTS_AT_ONCE])
    return time.perf_counter() - started


def _search_ms(index: EdgeClient, points: Sequence[Point], seconds: float) -> float:
    times: list[float] = []
    until = time.perf_counter() + seconds
    while not times or time.perf_counter() < until:
        point = points[len(times) % len(points)]
        query = SearchQuery(point.vector, point.payload.space, _HITS)
        started = time.perf_counter()
        index.search(_COLLECTION, query)
        times.append((time.perf_counter() - started) * 1e3)
    return median(times)


def _memory(process: psutil.Process) -> int:
    """Bytes that the process holds, on Linux without those of its log and of stored payloads."""
    if sys.platform != "linux":
        return process.memory_info().rss
    # Shares, not residents: the engine maps a file of vectors more than once.
    return sum(
        mapping.pss
        for mapping in process.memory_maps()
        if not any(part in mapping.path for part in _STORED_ONLY)
    )


def _random_points(manifest: Manifest, count: int) -> list[Point]:
    """Points such as indexing a folder makes; a search that compares all is as quick on any vectors."""
    vectors = np.random.default_rng(0).standard_normal((count, manifest.dimension), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    now = datetime.now(UTC)
    points = []
    for number, vector in enumerate(vectors):
        uri = f"file:///home/somebody/Pictures/2024/05/IMG_{number:08}.jpg"
        sha256 = sha256_of(uri.encode())
        payload = Payload(
            sha256=sha256,
            space=manifest.space,
            model=manifest.name,
            numerics="openvino-bf16",
            format="jpeg",
            width=4032,
            height=3024,
            bytes=3_000_000 + number,
            taken_at=now,
            indexed_at=now,
            sort_at=now,
            sources={source_key(uri): Source(kind="folder", uri=uri, modified_at=now)},
            first_indexed=FirstIndexed(job="01a20870d3c5596ca929871e", source=source_key(uri)),
        )
        points.append(Point(point_id(sha256), vector, payload))
    return points
