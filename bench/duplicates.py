"""How long a scan for duplicates takes, what it finds, and what comparing all with all would take."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from bench.clustered_points import BLOCK, points_of
from bench.index_process import Index, running
from sightline.identity import point_id
from sightline.index import Point
from sightline.likeness import SEMANTIC_COSINE, DuplicateKind
from sightline.queue.connection import connect_redis
from sightline.queue.duplicates import Duplicates
from sightline.queue.jobs import JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import DuplicatesSource
from sightline.settings import Quantization
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_local.data_folder import open_data_folder
from sightline_local.redis_child import RedisChild

COPY_EVERY = 10
_BITS = 256
_TURNED = 40
_COPY_NOISE = 0.005
_SAMPLE = 1_000
_POLL_S = 0.2


def measure(points: int, folder: Path) -> dict[str, Any]:
    """Scan `points` points, every tenth of which is a copy of the one before it."""
    with running(folder, Quantization.NONE) as index, tempfile.TemporaryDirectory() as data:
        copies = _fill(index, points)
        _build(index)
        with open_data_folder(Path(data)) as opened:
            redis = RedisChild(opened)
            redis.ensure()
            try:
                found = _scan(index, connect_redis(redis.url), copies)
            finally:
                redis.stop()
        return {"points": points, **found, "all_pairs_s": round(_all_pairs_s(points), 1)}


def tables(result: dict[str, Any]) -> list[Table]:
    """The figures as a table."""
    table = Table(title="a scan for duplicates")
    for column in ("pictures", "seconds", "all with all, s", "copies by look", "by vector", "others joined"):
        table.add_column(column)
    table.add_row(
        f"{result['points']:,}",
        str(result["scan_s"]),
        str(result["all_pairs_s"]),
        f"{result['perceptual_found']:.3f}",
        f"{result['semantic_found']:.3f}",
        str(result["others_joined"]),
    )
    return [table]


def _fill(index: Index, points: int) -> set[frozenset[str]]:
    """Insert points; the pairs of originals and copies."""
    chance = np.random.default_rng(7)
    pairs: set[frozenset[str]] = set()
    for block in range(points // BLOCK):
        made = _with_copies(points_of(block), chance)
        index.client.insert("images", made)
        pairs |= {
            frozenset((made[row - 1].id, made[row].id))
            for row in range(COPY_EVERY - 1, len(made), COPY_EVERY)
        }
    return pairs


def _with_copies(points: Sequence[Point], chance: np.random.Generator) -> list[Point]:
    made: list[Point] = []
    for row, point in enumerate(points):
        bits = chance.integers(0, 2, _BITS, dtype=np.uint8)
        vector = point.vector
        if row % COPY_EVERY == COPY_EVERY - 1:
            original = made[-1]
            assert original.payload.perceptual_hash is not None
            bits = np.unpackbits(np.frombuffer(bytes.fromhex(original.payload.perceptual_hash), np.uint8))
            bits[chance.choice(_BITS, _TURNED, replace=False)] ^= 1
            moved = original.vector + _COPY_NOISE * chance.normal(size=len(vector))
            vector = (moved / np.linalg.norm(moved)).astype(np.float32)
        looks = {"perceptual_hash": np.packbits(bits).tobytes().hex()}
        payload = point.payload.model_copy(update=looks)
        assert payload.sha256 is not None
        made.append(replace(point, id=point_id(payload.sha256), vector=vector, payload=payload))
    return made


def _build(index: Index) -> None:
    index.client.optimize("images")
    points = index.client.count("images")
    while index.indexed() < points:
        time.sleep(_POLL_S)


def _scan(index: Index, redis: Any, copies: set[frozenset[str]]) -> dict[str, Any]:
    retention = timedelta(days=1)
    duplicates = Duplicates(redis, retention)
    source = DuplicatesSource()
    job = Ledger(redis, retention).create(JobRequest(collection="images", source=source))
    started = time.perf_counter()
    for _ in DuplicateScan(index.client, duplicates).steps(job, source, None):
        pass
    took_s = time.perf_counter() - started
    found = {
        kind: {frozenset(group) for group in duplicates.groups("images", kind, 0, len(copies) * 2)}
        for kind in (DuplicateKind.PERCEPTUAL, DuplicateKind.SEMANTIC)
    }
    return {
        "scan_s": round(took_s, 1),
        "perceptual_found": len(found[DuplicateKind.PERCEPTUAL] & copies) / len(copies),
        "semantic_found": len(found[DuplicateKind.SEMANTIC] & copies) / len(copies),
        "others_joined": sum(len(groups - copies) for groups in found.values()),
    }


def _all_pairs_s(points: int) -> float:
    """Comparing a sample with all, scaled to all with all: vectors by a matrix product, hashes bit by bit."""
    vectors = np.concatenate([one.vector[np.newaxis] for one in points_of(0)])
    hashes = np.random.default_rng(0).integers(0, 256, (BLOCK, _BITS // 8), dtype=np.uint8)
    started = time.perf_counter()
    for row in range(_SAMPLE):
        np.bitwise_count(hashes ^ hashes[row]).sum(axis=1)
    _ = vectors[:_SAMPLE] @ vectors.T >= SEMANTIC_COSINE
    return (time.perf_counter() - started) * (points / _SAMPLE) * (points / BLOCK) / 2
