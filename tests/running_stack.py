"""The embedded stack as a user starts it: `sightline up` in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

READY_S = 240.0
"""The longest that a start may take on a machine that does other things; nothing waits for it."""


@dataclass
class Stack:
    """A running stack; `api` is a client of it."""

    process: "subprocess.Popen[bytes]"
    api: httpx.Client
    log: Path

    def child(self, name: str) -> psutil.Process:
        """The child process that runs a module, or is `redis-server`."""
        for process in psutil.Process(self.process.pid).children():
            if name in process.cmdline() or process.name() == name:
                return process
        raise AssertionError(f"no child runs {name}:\n{self.log.read_text()[-3000:]}")

    def family(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def ended_job(self, job_id: str, within_s: float) -> Any:
        """The job once it has ended."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            try:
                job = self.api.get(f"/v1/jobs/{job_id}").json()
            except httpx.TransportError:
                job = None
            if job and job.get("finished_at"):
                return job
            time.sleep(0.1)
        raise AssertionError(f"job {job_id} did not end: {job}\n{self.log.read_text()[-3000:]}")

    def ingest(self, folder: Path, **more: Any) -> str:
        """Start a folder job; its id."""
        body = {"source": {"kind": "folder", "path": str(folder)}, **more}
        answer = self.api.post("/v1/ingest", json=body)
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["id"]
        return job_id


Factory = Callable[..., AbstractContextManager[Stack]]


@contextmanager
def running(
    artifact: Path,
    data: Path,
    roots: Path,
    environment: Mapping[str, str] | None = None,
    prefix: tuple[str, ...] = (),
) -> Iterator[Stack]:
    """`sightline up` on `data`, ready; ended by SIGTERM."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data.mkdir(parents=True, exist_ok=True)
    log = data / "up.log"
    command = [
        *prefix,
        sys.executable,
        "-m",
        "sightline_local",
        "up",
        "--port",
        str(port),
        "--data",
        str(data),
    ]
    settings = {
        "SIGHTLINE_MODEL": str(artifact),
        "SIGHTLINE_IMPORT_ROOTS": f'["{roots}"]',
    }
    variables = {**os.environ, **settings, **(environment or {})}
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=variables, stdout=out, stderr=out)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as api:
        stack = Stack(process, api, log)
        try:
            _await_ready(stack)
            yield stack
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


def _await_ready(stack: Stack) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if stack.process.poll() is not None:
            break
        try:
            if stack.api.get("/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the stack is not ready:\n{stack.log.read_text()[-3000:]}")
