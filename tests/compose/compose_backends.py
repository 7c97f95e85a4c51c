"""Redis and Qdrant for the tests of server mode: as processes, as containers, or somebody else's."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

REDIS_PASSWORD = "a-password-of-redis"
QDRANT_KEY = "a-key-of-qdrant"
REDIS_IMAGE = "redis:7"
QDRANT_IMAGE = "qdrant/qdrant:v1.19.1-unprivileged"
PULL_S = 300
STOP_S = 40.0


@dataclass
class Process:
    """A service in a process of its own, started and ended as often as a test likes."""

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    _from: int = 0

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.alive():
            return
        self._from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a loss of power would."""
        self.signal(signal.SIGKILL)
        self.exit_status()

    def exit_status(self, within_s: float = STOP_S) -> int:
        """How it ended, once it has."""
        assert self.process is not None
        return self.process.wait(within_s)

    def end(self) -> None:
        if self.alive():
            self.signal(signal.SIGTERM)
            try:
                self.exit_status()
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def lines(self) -> list[str]:
        """What it has logged since its last start."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as stream:
            stream.seek(self._from)
            return stream.read().decode(errors="replace").splitlines()

    def has_logged(self, event: str) -> bool:
        return any(f"event={event}" in line for line in self.lines())


@dataclass
class RedisProcess(Process):
    """A Redis with a password and an append-only file."""

    url: str = ""


@dataclass
class DoubleProcess(Process):
    """The double of Qdrant, and what it can be told."""

    url: str = ""
    key: str = QDRANT_KEY
    control: httpx.Client | None = field(default=None)

    def misbehave(self, *, slow_s: float = 0.0, failing: float = 0.0, peers: int = 1) -> None:
        self._told("PUT", "/_double/faults", {"slow_s": slow_s, "failing": failing, "peers": peers})

    def behave(self) -> None:
        self._told("DELETE", "/_double/faults")

    def be_gone(self, seconds: float) -> None:
        self._told("POST", "/_double/gone", {"seconds": seconds})

    def calls(self) -> int:
        total: int = self._told("GET", "/_double/calls").json()["total"]
        return total

    def _told(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """The answer, once there is one: the double may be starting, or gone for a while."""
        assert self.control is not None
        deadline = time.monotonic() + 90
        while True:
            try:
                return self.control.request(method, path, json=body).raise_for_status()
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


@dataclass
class Elsewhere:
    """A service that the tests do not start or end."""

    url: str
    key: str = ""
    control: None = None

    def start(self) -> None:
        pass


@dataclass
class Container:
    """A service in a container; its port stays the same when it is started again."""

    container: Any
    url: str
    key: str = ""
    control: None = None

    def start(self) -> None:
        self.container.get_wrapped_container().start()

    def kill(self) -> None:
        self.container.get_wrapped_container().kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def open_backends(folder: Path, stack: ExitStack) -> tuple[Any, Any]:
    """A Redis and a Qdrant as the environment asks for them; processes are not started yet."""
    if url := os.environ.get("SIGHTLINE_TEST_QDRANT_URL"):
        return redis_process(folder, stack), Elsewhere(
            url, os.environ.get("SIGHTLINE_TEST_QDRANT_API_KEY", "")
        )
    if os.environ.get("SIGHTLINE_TEST_CONTAINERS") == "1":
        return stack.enter_context(_containers())
    return redis_process(folder, stack), double_process(folder, stack)


def redis_process(folder: Path, stack: ExitStack) -> RedisProcess:
    from sightline_local.redis_child import find_redis_binary

    port = free_port()
    (folder / "redis").mkdir()
    options = {"port": port, "bind": "127.0.0.1", "dir": folder / "redis", "requirepass": REDIS_PASSWORD}
    options |= {"appendonly": "yes", "appendfsync": "everysec", "save": ""}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    url = f"redis://:{REDIS_PASSWORD}@127.0.0.1:{port}/0"
    redis = RedisProcess([find_redis_binary(), *words], {}, folder / "redis.log", url=url)
    stack.callback(redis.end)
    return redis


def double_process(folder: Path, stack: ExitStack) -> DoubleProcess:
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("qdrant_double.py"))]
    command += ["--folder", str(folder / "qdrant"), "--port", str(port), "--api-key", QDRANT_KEY]
    url = f"http://127.0.0.1:{port}"
    control = stack.enter_context(httpx.Client(base_url=url, timeout=10))
    double = DoubleProcess(command, {}, folder / "qdrant.log", url=url, control=control)
    stack.callback(double.end)
    return double


@contextmanager
def _containers() -> Iterator[tuple[Container, Container]]:
    """The official images; skips with the reason where Docker cannot run or pull them."""
    pytest.importorskip("testcontainers", reason="testcontainers is not installed")
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.waiting_utils import wait_for_logs

    for image in (REDIS_IMAGE, QDRANT_IMAGE):
        _pull_or_skip(image)
    redis_port, qdrant_port = free_port(), free_port()
    redis = DockerContainer(REDIS_IMAGE).with_bind_ports(6379, redis_port)
    redis.with_command(f"redis-server --requirepass {REDIS_PASSWORD} --appendonly yes")
    qdrant = DockerContainer(QDRANT_IMAGE).with_bind_ports(6333, qdrant_port)
    qdrant.with_env("QDRANT__SERVICE__API_KEY", QDRANT_KEY).with_env("QDRANT__TELEMETRY_DISABLED", "true")
    with ExitStack() as stack:
        stack.enter_context(redis)
        stack.enter_context(qdrant)
        wait_for_logs(redis, "Ready to accept connections", timeout=60)
        wait_for_logs(qdrant, "Qdrant HTTP listening", timeout=60)
        yield (
            Container(redis, f"redis://:{REDIS_PASSWORD}@127.0.0.1:{redis_port}/0"),
            Container(qdrant, f"http://127.0.0.1:{qdrant_port}", QDRANT_KEY),
        )


def _pull_or_skip(image: str) -> None:
    """Have an image, or skip with Docker's own words."""
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("there is no docker on this machine for the official images")
    for command in ([docker, "image", "inspect", image], [docker, "pull", "--quiet", image]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=PULL_S, check=False)
        if done.returncode == 0:
            return
    pytest.skip(f"Docker cannot have {image} here: {done.stderr.strip()[-200:]}")
