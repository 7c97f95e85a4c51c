"""How long the gateway's event loop stands still while pictures are taken in.

    python -m bench.event_loop [--pictures 500]

Runs an embedded stack, and a second gateway on the same Redis and index in this process, whose event
loop is timed: it should wake every 5 ms, and a gap is how much longer it took. Pictures are uploaded
through that gateway and searches are made while they are indexed.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
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
FILES_PER_UPLOAD = 50


async def measure(api: httpx.AsyncClient, gaps_ms: list[float], pictures: list[bytes]) -> dict[str, Any]:
    """Upload, search while the jobs run, and time the loop; returns the figures."""
    timing = asyncio.create_task(_time_the_loop(gaps_ms))
    started = time.monotonic()
    jobs = []
    for start in range(0, len(pictures), FILES_PER_UPLOAD):
        files = [
            ("files", (f"{start}-{place}.jpg", data))
            for place, data in enumerate(pictures[start : start + FILES_PER_UPLOAD])
        ]
        jobs.append((await api.post("/v1/images", files=files)).raise_for_status().json()["id"])
    searches_ms = []
    while not await _all_ended(api, jobs):
        before = time.perf_counter()
        text = f"a photo of thing {len(searches_ms)}"
        (await api.get("/v1/search", params={"q": text})).raise_for_status()
        searches_ms.append((time.perf_counter() - before) * 1000)
    took_s = time.monotonic() - started
    timing.cancel()
    searches_ms.sort()
    return {
        "pictures": len(pictures),
        "pictures_per_s": round(len(pictures) / took_s, 1),
        "searches": len(searches_ms),
        "search_p50_ms": round(searches_ms[len(searches_ms) // 2], 1),
        "search_p95_ms": round(searches_ms[int(len(searches_ms) * 0.95)], 1),
        "loop_gap_p99_ms": round(sorted(gaps_ms)[int(len(gaps_ms) * 0.99)], 1),
        "loop_gap_max_ms": round(max(gaps_ms), 1),
    }


async def _time_the_loop(gaps_ms: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(WAKE_EVERY_S)
        gaps_ms.append((time.perf_counter() - before - WAKE_EVERY_S) * 1000)


async def _all_ended(api: httpx.AsyncClient, jobs: list[str]) -> bool:
    answers = [(await api.get(f"/v1/jobs/{job}")).json() for job in jobs]
    return all(job["finished_at"] for job in answers)


def _pictures(folder: Path, count: int) -> list[bytes]:
    chance = random.Random(5)
    photos = [Image.open(path).convert("RGB") for path in sorted(copy_samples(folder).iterdir())]
    made = []
    for number in range(count):
        photo = photos[number % len(photos)]
        left, top = (chance.randrange(max(side // 2, 1)) for side in photo.size)
        crop = photo.crop((left, top, left + photo.width // 2, top + photo.height // 2))
        out = BytesIO()
        crop.resize((1024, 768)).save(out, "JPEG", quality=85)
        made.append(out.getvalue())
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
            return await _serve_and_measure(settings, _pictures(Path(temporary) / "samples", pictures))
        finally:
            up.terminate()
            await up.wait()


async def _serve_and_measure(settings: Settings, pictures: list[bytes]) -> dict[str, Any]:
    config = uvicorn.Config(create_app(settings), host=settings.host, port=settings.port, log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    url = f"http://{settings.host}:{settings.port}"
    async with httpx.AsyncClient(base_url=url, timeout=60) as api:
        while not server.started:
            await asyncio.sleep(0.05)
        figures = await measure(api, [], pictures)
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
    figures = asyncio.run(_run(options.model, options.pictures))
    if options.json:
        print(json.dumps(figures))
        return
    table = Table("event loop of the gateway during ingest", "")
    for name, value in figures.items():
        table.add_row(name, str(value))
    Console().print(table)


if __name__ == "__main__":
    main()
