"""400 clients at once against low limits: what is admitted is done right, the rest is refused at once."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

CLIENTS = 400
MIB = 1 << 20
LIMITS = {
    "SIGHTLINE_SEARCH_CONCURRENCY": "2",
    "SIGHTLINE_UPLOAD_CONCURRENCY": "2",
    "SIGHTLINE_READ_CONCURRENCY": "2",
    "SIGHTLINE_WAITING_PER_PLACE": "4",
    "SIGHTLINE_LONGEST_WAIT_S": "20",
}


async def _wave(url: httpx.URL, pictures: Sequence[Path]) -> list[httpx.Response]:
    """One request of each client, all at once: every second one an upload."""
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as api:

        async def one(number: int) -> httpx.Response:
            if number % 2:
                data = pictures[number % len(pictures)].read_bytes()
                return await api.post("/v1/images", files={"files": ("a.jpg", data)})
            return await api.get("/v1/search", params={"q": f"a cat, number {number}"})

        return await asyncio.gather(*(one(number) for number in range(CLIENTS)))


def assert_served_or_refused(stack: Any, answers: Sequence[httpx.Response]) -> Counter[int]:
    for answer in answers:
        match answer.status_code:
            case 200:
                assert answer.json()["hits"]
            case 202:
                job = stack.ended_job(answer.json()["id"], within_s=120)
                assert job["state"] == "succeeded", job
            case _:
                assert (answer.status_code, answer.json()["code"]) == (429, "overloaded")
                assert int(answer.headers["retry-after"]) > 0
    return Counter(answer.status_code for answer in answers)


def resident_bytes(gateway: psutil.Process) -> int:
    return int(gateway.memory_info().rss)


def test_400_clients_at_once(run_tiny_stack: Any, many_pictures: Path, tmp_path: Path) -> None:
    pictures = sorted(many_pictures.iterdir())
    with run_tiny_stack(tmp_path / "data", many_pictures, LIMITS) as stack:
        with pictures[0].open("rb") as file:
            first = stack.api.post("/v1/images", files={"files": file}, headers={"Prefer": "wait=60"})
        assert first.json()["state"] == "succeeded"
        gateway = stack.child("sightline_api")
        asyncio.run(_wave(stack.api.base_url, pictures))
        memory, handles = resident_bytes(gateway), gateway.num_fds()

        for _ in range(2):
            answers = asyncio.run(_wave(stack.api.base_url, pictures))
            seen = assert_served_or_refused(stack, answers)
            assert seen[200] >= 10  # as many as are served and wait at a time
            assert seen[202] >= 1
            assert seen[429] >= 1

        grown = resident_bytes(gateway) - memory
        assert grown < 24 * MIB, f"{grown / MIB:.0f} MiB more after two more waves"
        assert gateway.num_fds() <= handles + 8
        assert stack.child("sightline_api").pid == gateway.pid
        assert "child_died" not in stack.log.read_text()
        assert "request_failed" not in stack.log.read_text()
        readiness = stack.api.get("/readyz").json()
        assert (readiness["ready"], readiness["degraded"]) == (True, False)
        for _ in range(20):
            assert stack.api.get("/v1/search", params={"q": "a cat"}).json()["hits"]
        with pictures[1].open("rb") as file:
            last = stack.api.post("/v1/images", files={"files": file}, headers={"Prefer": "wait=60"})
        assert last.json()["state"] == "succeeded"
