"""Fixtures that every part of the suite may use."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cached_models
import pytest
import running_stack
from hypothesis import settings
from redis import Redis

from sightline.payload import FirstIndexed, Payload
from sightline.queue.connection import connect_redis
from sightline.queue.ledger import Ledger
from sightline_local.stack import EMBEDDER_NICENESS

_ROOT = Path(__file__).resolve().parent.parent

# An example takes as long as the machine needs that does other things. All else stays as it is, where CI is
# set too: a profile begins with the one that is loaded.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Embedders of stacks run at this niceness: beside tests that run at none, those that wait for pictures would
# wait for all others first.
os.setpriority(os.PRIO_PROCESS, 0, EMBEDDER_NICENESS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the long versions to `make test-all`."""
    if os.environ.get("SIGHTLINE_TEST_LONG") != "1":
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="the long version: SIGHTLINE_TEST_LONG=1"))


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis for this session, started as an embedded stack starts its own."""
    from sightline_local.data_folder import open_data_folder
    from sightline_local.redis_child import RedisChild

    with open_data_folder(tmp_path_factory.mktemp("redis")) as folder:
        child = RedisChild(folder)
        child.ensure()
        yield child.url
        child.stop()


@pytest.fixture
def redis(redis_url: str) -> Redis:
    """An empty Redis."""
    client = connect_redis(redis_url)
    client.flushall()
    return client


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    """The ledger of an empty Redis."""
    return Ledger(redis, timedelta(days=1))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB, which wants root to be made."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a file system of 4 MiB can only be made by root, where mounting is allowed")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def make_payload() -> Callable[..., Payload]:
    """The payload of some picture, with what a test changes of it."""

    def make(**changes: Any) -> Payload:
        noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
        fields: dict[str, Any] = {
            "sha256": "0" * 64,
            "space": "model@0123456789abcdef",
            "model": "model",
            "numerics": "f32",
            "format": "jpeg",
            "width": 2,
            "height": 1,
            "bytes": 3,
            "indexed_at": noon,
            "sort_at": noon,
            "first_indexed": FirstIndexed(job="j", source="k"),
        }
        return Payload(**(fields | changes))

    return make


@pytest.fixture(scope="session")
def qdrant_double_url() -> Iterator[str]:
    """The address of a double of a Qdrant server (tests/compose/qdrant_double.py)."""
    memory = Path("/dev/shm")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="sl-", dir=memory if memory.is_dir() else None) as folder:
        command = [sys.executable, str(_ROOT / "tests/compose/qdrant_double.py"), "--folder", folder]
        with subprocess.Popen([*command, "--port", str(port)]) as double:
            try:
                _await_port(port, double)
                yield f"http://127.0.0.1:{port}"
            finally:
                double.terminate()


def _await_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "the process that should listen has ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


@pytest.fixture(scope="session")
def starter_artifact() -> Path:
    """The folder of the `starter` artifact, built when it is missing or its builder has changed."""
    return cached_models.starter_artifact()


@pytest.fixture(scope="session")
def clip_b32_folder() -> Path:
    """A Hugging Face folder in the shape of ViT-B/32 (151 M parameters) with random weights."""
    return cached_models.clip_b32_weights()


@pytest.fixture(scope="session")
def clip_b32_artifact() -> Path:
    """The artifact of `clip_b32_folder`."""
    return cached_models.clip_b32_artifact()


@pytest.fixture(scope="session")
def tiny_clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face CLIP folder of a few kilobytes with random weights, 64 px and 32 dimensions."""
    out = tmp_path_factory.mktemp("tiny-clip") / "tiny-clip"
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = shape | {"image_size": 64, "patch_size": 32}
    cached_models.save_clip(out, shape | {"vocab_size": 520}, vision, specials=(518, 519), dimension=32)
    return out


@pytest.fixture(scope="session")
def tiny_clip_artifact(tiny_clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of `tiny_clip_folder`."""
    out = tmp_path_factory.mktemp("tiny-clip-artifact") / "tiny-clip"
    cached_models.build(str(tiny_clip_folder), out)
    return out


@pytest.fixture(scope="session")
def run_stack(starter_artifact: Path) -> running_stack.Factory:
    """`run_stack(data, roots, environment=, prefix=)`: a context manager for a Stack on the starter model."""
    return partial(running_stack.running, starter_artifact)


@pytest.fixture(scope="session")
def run_tiny_stack(tiny_clip_artifact: Path) -> running_stack.Factory:
    """As `run_stack`, on a model that costs next to nothing and knows nothing."""
    return partial(running_stack.running, tiny_clip_artifact)


@pytest.fixture(scope="session")
def photo_folder() -> Path:
    """Real photos."""
    from skimage import data as skimage_data

    return Path(skimage_data.__file__).parent


@dataclass(frozen=True)
class S3Server:
    """moto's S3 server, in a process of its own."""

    port: int

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make the clients of a process use it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "test-key",
            "AWS_SECRET_ACCESS_KEY": "test-secret",
            "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def fill(self, bucket: str, objects: Mapping[str, bytes]) -> None:
        """Put objects into a bucket, which is made where it is missing."""
        connection = HTTPConnection("127.0.0.1", self.port)
        # The server looks at the key's name alone to tell whose bucket it is.
        credential = "test-key/20260101/us-east-1/s3/aws4_request"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, Signature=0"}
        paths = {f"/{bucket}": b""} | {f"/{bucket}/{quote(key)}": data for key, data in objects.items()}
        for path, data in paths.items():
            connection.request("PUT", path, data, headers)
            with connection.getresponse() as response:
                assert response.status in (200, 409), response.read()
                response.read()
        connection.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server without buckets, on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _await_port(port, server)
            yield S3Server(port)
        finally:
            server.terminate()


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The S3 server, as the one that the clients of this process use."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server
