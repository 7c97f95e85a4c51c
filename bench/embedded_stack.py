"""The embedded stack as a user starts it: `sightline up` in a process of its own."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from sightline_local.commands.demo import free_port


@contextmanager
def embedded_stack(
    data: Path, model: str, roots: Path, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[psutil.Process, httpx.Client]]:
    """`sightline up` that may index below `roots`, ready and idle, and a client of it.

    `settings` are added to the environment.
    """
    port = free_port()
    environment = os.environ | dict(settings or {}) | {"SIGHTLINE_IMPORT_ROOTS": json.dumps([str(roots)])}
    command = [sys.executable, "-m", "sightline_local", "up", "--port", str(port), "--data", str(data)]
    with (data.parent / "up.log").open("wb") as log:
        process = psutil.Popen([*command, "--model", model], stdout=log, stderr=log, env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as api:
            while True:
                try:
                    if api.get("/readyz").is_success:
                        break
                except httpx.TransportError:
                    pass
                if process.poll() is not None:
                    raise RuntimeError((data.parent / "up.log").read_text()[-2000:])
                time.sleep(0.2)
            yield process, api
    finally:
        process.terminate()
        process.wait()
