"""Clients that search over HTTP, one after another each, in a process of their own.

    python -m bench.http_load PORT PATH [PATH ...] --clients 8 --seconds 5 [--per-second 5] [--seed 1]

PATH holds `{}` where texts go; every text is new. Of several, each client asks in turn. Prints JSON:
`latencies_ms` of each answer, `seconds` that all took, and `cpu_s` of the clients. The client speaks HTTP
by itself, because on a machine with few cores a client library would take as much of them as the server.
"""

import argparse
import asyncio
import json
import random
import re
import string
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle

_NEW_TEXT = re.compile(r"\{\}")
_LETTERS = 4
"""Of each of two words: ten tokens with the model of the tests, whose tokens are letters."""


@dataclass(frozen=True)
class Load:
    """What a load measured."""

    latencies_ms: list[float]
    seconds: float
    cpu_s: float
    """Processor time of the clients."""

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self.latencies_ms) / self.seconds


def run_load(
    port: int,
    paths: Sequence[str],
    *,
    clients: int,
    seconds: float,
    seed: int,
    per_second: float | None = None,
) -> Load:
    """Load a server from another process; raises RuntimeError if an answer is not 200."""
    options = [f"--clients={clients}", f"--seconds={seconds}", f"--seed={seed}"]
    if per_second is not None:
        options.append(f"--per-second={per_second}")
    command = [sys.executable, "-m", "bench.http_load", str(port), *paths, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the load on port {port} failed: {done.stderr[-2000:]}")
    return Load(**json.loads(done.stdout))


def random_text(chance: random.Random) -> str:
    """Two short words; two the same are as good as never made."""
    return " ".join("".join(chance.choices(string.ascii_lowercase, k=_LETTERS)) for _ in range(2))


async def _client(
    port: int, paths: Sequence[str], chance: random.Random, until: float, latencies: list[float]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for path in cycle(paths):
        if time.perf_counter() >= until:
            break
        started = time.perf_counter()
        await _ask(reader, writer, path, chance)
        latencies.append((time.perf_counter() - started) * 1000)
    writer.close()


async def _paced(
    port: int, paths: Sequence[str], chance: random.Random, seconds: float, per_second: float
) -> list[float]:
    """Requests at their times, whether or not those before have been answered; latencies in that order."""

    async def once(path: str, due: float) -> float:
        await asyncio.sleep(due - time.perf_counter())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await _ask(reader, writer, path, chance)
        writer.close()
        return (time.perf_counter() - due) * 1000

    started = time.perf_counter()
    count = int(seconds * per_second)
    return await asyncio.gather(
        *(
            once(path, started + number / per_second)
            for number, path in zip(range(count), cycle(paths), strict=False)
        )
    )


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, chance: random.Random
) -> None:
    target = _NEW_TEXT.sub(lambda _: random_text(chance).replace(" ", "%20"), path)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    body = await reader.readexactly(length)
    if " 200 " not in head.split("\r\n")[0]:
        raise RuntimeError(f"{head.splitlines()[0]}: {body[:300]!r}")


async def _run(options: argparse.Namespace) -> Load:
    latencies: list[float] = []
    started, used = time.perf_counter(), time.process_time()
    until = started + options.seconds
    if options.per_second is not None:
        chance = random.Random(f"{options.seed}/paced")
        latencies = await _paced(options.port, options.paths, chance, options.seconds, options.per_second)
    else:
        chances = [
            random.Random(f"{options.seed}/{options.clients}/{number}") for number in range(options.clients)
        ]
        await asyncio.gather(
            *(_client(options.port, options.paths, chance, until, latencies) for chance in chances)
        )
    return Load(latencies, time.perf_counter() - started, time.process_time() - used)


def main() -> None:
    """Run the clients and print what they saw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("port", type=int)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--per-second", type=float)
    parser.add_argument("--seed", type=int, default=1)
    load = asyncio.run(_run(parser.parse_args()))
    print(json.dumps(asdict(load)))


if __name__ == "__main__":
    main()
