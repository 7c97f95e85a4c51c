"""Many clients that search and upload at once over HTTP, in a process of their own.

    python -m bench.flood PORT --clients 400 --uploads 0.5 --seconds 10 --pictures DIR [--seed 1]

The clients begin within a second, and each sends one request after another, searches over a connection
that it keeps; after a refusal it waits for as long as `Retry-After` says. Prints JSON: for `search` and
`upload` the latencies in milliseconds of what was `admitted` and of what was `refused`, and in `other` how
often which other status came.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.http_load import random_text

_BOUNDARY = "cut"
_REFUSED = 429
_BEGIN_WITHIN_S = 1.0


@dataclass
class Answers:
    """Latencies of one kind of request, in milliseconds."""

    admitted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)


@dataclass
class Flood:
    """What the clients saw; `other` counts the answers that are neither."""

    search: Answers = field(default_factory=Answers)
    upload: Answers = field(default_factory=Answers)
    other: Counter[str] = field(default_factory=Counter)


def run_flood(port: int, *, clients: int, uploads: float, seconds: float, pictures: Path, seed: int) -> Flood:
    """Flood a server from another process; `uploads` is the share of the clients that upload."""
    options = [f"--clients={clients}", f"--uploads={uploads}", f"--seconds={seconds}", f"--seed={seed}"]
    command = [sys.executable, "-m", "bench.flood", str(port), *options, f"--pictures={pictures}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the flood of port {port} failed: {done.stderr[-2000:]}")
    seen = json.loads(done.stdout)
    return Flood(Answers(**seen["search"]), Answers(**seen["upload"]), Counter(seen["other"]))


class _Client:
    def __init__(self, port: int, flood: Flood, until: float) -> None:
        self._port = port
        self._flood = flood
        self._until = until
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def search(self, chance: random.Random) -> None:
        await asyncio.sleep(chance.random() * _BEGIN_WITHIN_S)
        while time.perf_counter() < self._until:
            text = random_text(chance).replace(" ", "%20")
            await self._send(f"GET /v1/search?q={text}&limit=10 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    async def upload(self, chance: random.Random, pictures: Sequence[bytes]) -> None:
        await asyncio.sleep(chance.random() * _BEGIN_WITHIN_S)
        while time.perf_counter() < self._until:
            await self._send(_upload(chance.choice(pictures) + chance.randbytes(16)), self._flood.upload)

    async def _send(self, request: bytes, kept: Answers | None = None) -> None:
        kept = kept or self._flood.search
        started = time.perf_counter()
        status, retry_s = await self._asked(request)
        took_ms = (time.perf_counter() - started) * 1000
        if status == _REFUSED:
            kept.refused.append(took_ms)
            await asyncio.sleep(retry_s)
        elif status in (200, 202):
            kept.admitted.append(took_ms)
        else:
            self._flood.other[str(status)] += 1

    async def _asked(self, request: bytes) -> tuple[int, float]:
        kept = self._connection
        self._connection = None
        try:
            reader, writer = kept or await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            status = int(head.split(" ", 2)[1])
            await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
        except (OSError, asyncio.IncompleteReadError):
            # The server closes a connection that is idle, and one whose body it has not read.
            return (0, 0.0) if kept is None else await self._asked(request)
        if request.startswith(b"GET"):
            self._connection = reader, writer
        else:
            writer.close()
        retry = head.split("retry-after:")[1].split("\r\n")[0] if "retry-after:" in head else "0"
        return status, float(retry)


def _upload(picture: bytes) -> bytes:
    part = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
    body = part.encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
    head = (
        f"POST /v1/images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n\r\n"
    )
    return head.encode() + body


async def _run(options: argparse.Namespace) -> Flood:
    flood = Flood()
    pictures = [path.read_bytes() for path in sorted(options.pictures.iterdir())[:64]]
    until = time.perf_counter() + options.seconds
    uploading = round(options.clients * options.uploads)
    chances = [random.Random(f"{options.seed}/{number}") for number in range(options.clients)]
    await asyncio.gather(
        *(_Client(options.port, flood, until).upload(chance, pictures) for chance in chances[:uploading]),
        *(_Client(options.port, flood, until).search(chance) for chance in chances[uploading:]),
    )
    return flood


def main() -> None:
    """Run the clients and print what they saw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("port", type=int)
    parser.add_argument("--clients", type=int, default=400)
    parser.add_argument("--uploads", type=float, default=0.5)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    print(json.dumps(asdict(asyncio.run(_run(parser.parse_args())))))


if __name__ == "__main__":
    main()
