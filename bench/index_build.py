"""What queries and an event loop notice of an HNSW build."""

import asyncio
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.index_process import Index

ASK_EVERY_S = 0.05
BEAT_S = 0.005


async def watch_build(
    index: Index, queries: NDArray[np.float32], points: int, idle_s: float
) -> dict[str, Any]:
    """Have HNSW built; what queries wait meanwhile, and the longest gap of this event loop.

    The same is measured for `idle_s` before, when nothing is built: what other processes cost.
    """
    gaps: list[float] = []
    waits: list[float] = []
    asked_at: list[float] = []

    async def beat() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(BEAT_S)
            now = time.perf_counter()
            gaps.append((now - last - BEAT_S) * 1e3)
            last = now

    async def ask() -> None:
        asked_at.append(time.perf_counter())
        waits.append((await asyncio.to_thread(index.ask, queries[len(waits) % len(queries)]))[1])
        await asyncio.sleep(ASK_EVERY_S)

    beating = asyncio.create_task(beat())
    until = time.perf_counter() + idle_s
    while time.perf_counter() < until:
        await ask()
    idle = {
        "idle_p50_ms": round(float(np.median(waits)), 2),
        "idle_longest_wait_ms": round(max(waits), 1),
        "idle_loop_gap_ms": round(max(gaps), 1),
    }
    gaps.clear()
    waits.clear()
    asked_at.clear()
    started = time.perf_counter()
    await asyncio.to_thread(index.client.optimize, "images")
    while await asyncio.to_thread(index.indexed) < points:
        await ask()
    took_s = time.perf_counter() - started
    beating.cancel()
    return {
        **idle,
        "build_s": round(took_s, 1),
        "build_queries": len(waits),
        "wait_p95_ms": round(float(np.percentile(waits, 95)), 2),
        "longest_wait_ms": round(max(waits), 1),
        "longest_waits_at_s": [round(asked_at[row] - started, 1) for row in np.argsort(waits)[:-6:-1]],
        "loop_gap_ms": round(max(gaps), 1),
    }
