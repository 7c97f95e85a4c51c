"""How long the gateway's event loop stands still while pictures are taken in.

    python -m bench.event_loop [--pictures 500]

Runs an embedded stack, and a second gateway on the same Redis and index in this process, whose event
loop is timed: it should wake every 5 ms, and a gap is how much longer it took. Another process uploads
pictures through that gateway; searches, one after another, go on until they are indexed.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import uvicorn
from PIL import Image
from rich.console import Console
from rich.table import Table

from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_local.commands.demo import free_port
from sightline_local.data_folder import DataFolder
from sightline_local.samples import copy_samples

WAKE_EVERY_S = 0.005


def measure(*, pictures: int, model: str) -> dict[str, Any]:
    """The figures of so many pictures; `model` is a name or the folder of an artifact."""
    return asyncio.run(_run(model, pictures))


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures for a reader."""
    table = Table("event loop of the gateway during ingest", "")
    for name, value in found.items():
        table.add_row(name, str(value))
    return [table]


async def _watch(api: httpx.AsyncClient, pictures: Path) -> dict[str, Any]:
    """Upload from another process, search meanwhile, and time the loop; returns the figures."""
    gaps_ms: list[float] = []
    searches_ms: list[float] = []
    timing = asyncio.create_task(_time_the_loop(gaps_ms))
    started = time.monotonic()
    uploading = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sightline_local", "index", str(pictures), "--url", str(api.base_url), "--json",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    ended = asyncio.create_task(uploading.wait())
    while not ended.done():
        before = time.perf_counter()
        text = f"a photo of thing {len(searches_ms)}"
        (await api.get("/v1/search", params={"q": text})).raise_for_status()
        searches_ms.append((time.perf_counter() - before) * 1000)
    took_s = time.monotonic() - started
    timing.cancel()
    if await ended != 0:
        raise RuntimeError("not every picture was indexed")
    count = len(list(pictures.iterdir()))
    return {
        "pictures": count,
        "pictures_per_s": round(count / took_s, 1),
        "searches": len(searches_ms),
        "search_p50_ms": _percentile(searches_ms, 50),
        "search_p95_ms": _percentile(searches_ms, 95),
        "loop_gap_p99_ms": _percentile(gaps_ms, 99),
        "loop_gap_max_ms": _percentile(gaps_ms, 100),
    }


def _percentile(values: list[float], percent: int) -> float:
    return round(float(np.percentile(values, percent)), 1)


async def _time_the_loop(gaps_ms: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(WAKE_EVERY_S)
        gaps_ms.append((time.perf_counter() - before - WAKE_EVERY_S) * 1000)


def _make_pictures(folder: Path, count: int) -> Path:
    """Different crops of the sample pictures, 1024x768 JPEG."""
    chance = random.Random(5)
    photos = [Image.open(path).convert("RGB") for path in sorted(copy_samples(folder / "samples").iterdir())]
    made = folder / "pictures"
    made.mkdir()
    for number in range(count):
        photo = photos[number % len(photos)]
        left, top = (chance.randrange(max(side // 2, 1)) for side in photo.size)
        crop = photo.crop((left, top, left + photo.width // 2, top + photo.height // 2))
        crop.resize((1024, 768)).save(made / f"{number:05}.jpg", quality=85)
    return made


async def _run(model: str, pictures: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        up = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sightline_local", "up", "--port", str(free_port()), "--data", str(data),
            "--model", model, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            await _await_line(up, b"is ready")
            folder = DataFolder(data.resolve())
            settings = Settings(
                data_dir=folder.root,
                redis_url=f"unix://{folder.runtime / 'redis.sock'}",
                index_socket=folder.runtime / "index.sock",
                model=str(folder.models / model) if not Path(model).is_dir() else model,
                port=free_port(),
            )
            return await _serve_and_measure(settings, _make_pictures(Path(temporary), pictures))
        finally:
            up.terminate()
            await up.wait()


async def _serve_and_measure(settings: Settings, pictures: Path) -> dict[str, Any]:
    config = uvicorn.Config(create_app(settings), host=settings.host, port=settings.port, log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    url = f"http://{settings.host}:{settings.port}"
    async with httpx.AsyncClient(base_url=url, timeout=60) as api:
        while not server.started:
            await asyncio.sleep(0.05)
        figures = await _watch(api, pictures)
    server.should_exit = True
    await serving
    return figures


async def _await_line(process: asyncio.subprocess.Process, text: bytes) -> None:
    assert process.stderr is not None
    async for line in process.stderr:
        if text in line:
            # Its log must be read, or the stack would stop when the pipe is full.
            asyncio.get_running_loop().create_task(process.stderr.read())
            return
    raise RuntimeError("the stack did not start")


def main() -> None:
    """Print the figures as a table, or as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--model", default="starter", help="name or folder of an artifact")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(pictures=options.pictures, model=options.model)
    if options.json:
        print(json.dumps(figures))
        return
    for table in tables(figures):
        Console().print(table)


if __name__ == "__main__":
    main()
