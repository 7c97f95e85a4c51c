"""The gateway, in this process and in one of its own, over a real Redis, index process and model."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from tenacity import retry, stop_after_delay, wait_fixed

from sightline.index.edge.client import EdgeClient
from sightline.queue.connection import connect_redis
from sightline.queue.keys import KeyStore
from sightline.settings import Settings
from sightline_api.app import create_app


@pytest.fixture(scope="session")
def index_socket() -> Iterator[Path]:
    """In memory where that can be: making a collection waits for the disk a dozen times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="sl-", dir=memory if memory.is_dir() else None) as folder:
        yield from _index_in(Path(folder))


def _index_in(folder: Path) -> Iterator[Path]:
    socket = folder / "index.sock"
    command = [sys.executable, "-m", "sightline.index.edge.process", "--folder", str(folder / "shards")]
    process = subprocess.Popen([*command, "--socket", str(socket)])
    with closing(EdgeClient(socket, patience_s=0.1)) as index:
        retry(stop=stop_after_delay(60), wait=wait_fixed(0.05))(index.ping)()
    yield socket
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="session")
def settings(
    redis_url: str, index_socket: Path, tiny_clip_artifact: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    return Settings(
        redis_url=redis_url,
        index_socket=index_socket,
        model=str(tiny_clip_artifact),
        data_dir=tmp_path_factory.mktemp("data"),
        import_roots=[tmp_path_factory.mktemp("photos")],
        buckets=["s3://photos/2024/"],
        max_upload_files=3,
        max_picture_bytes=2_000_000,
        allowed_hosts=["testserver"],
    )


@pytest.fixture(scope="session")
def gateways() -> list[Any]:
    """Clients of the gateways that serve more than one module."""
    return []


@pytest.fixture(scope="session")
def client(settings: Settings, gateways: list[Any]) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        gateways.append(client)
        yield client


@pytest.fixture(scope="module", autouse=True)
def no_keys_left(redis_url: str, gateways: list[Any]) -> Iterator[None]:
    """Where a module has made keys, the gateways of the next ones would want one, until they know better.

    Before a module too: the one before may have been of another folder.
    """
    _revoke_all(redis_url, gateways)
    yield
    _revoke_all(redis_url, gateways)


def _revoke_all(redis_url: str, gateways: list[Any]) -> None:
    keys = KeyStore(connect_redis(redis_url))
    for key_id in keys.all():
        keys.revoke(key_id, keep_admin=False)
    for one in gateways:
        _until_open(one)


@retry(stop=stop_after_delay(60), wait=wait_fixed(0.05))
def _until_open(gateway: Any) -> None:
    gateway.get("/v1/caller").raise_for_status()


@dataclass(frozen=True)
class Served:
    """A gateway in a process of its own; `api` is a client of it."""

    process: "subprocess.Popen[bytes]"
    api: httpx.Client
    media: Path
    port: int

    def stored(self) -> list[Path]:
        """Every file of its media store, unfinished ones too."""
        return files_below(self.media)


Serve = Callable[..., AbstractContextManager[Served]]


@pytest.fixture(scope="session")
def serve(settings: Settings) -> Serve:
    """`serve(folder, **settings)`: a gateway that listens, with its data in `folder`."""

    @contextmanager
    def serve(folder: Path, **more: Any) -> Iterator[Served]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        shared = settings.model_dump(include={"redis_url", "index_socket", "model"})
        values = shared | {"data_dir": folder, "port": port, "log_level": "warning"} | more
        environment = {
            f"SIGHTLINE_{name.upper()}": json.dumps(value) if isinstance(value, list) else str(value)
            for name, value in values.items()
        }
        process = subprocess.Popen([sys.executable, "-m", "sightline_api"], env={**os.environ, **environment})
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as api:
                retry(stop=stop_after_delay(60), wait=wait_fixed(0.05))(api.get)("/healthz")
                yield Served(process, api, folder / "media", port)
        finally:
            process.terminate()
            process.wait(40)

    return serve


@pytest.fixture(scope="session")
def served(serve: Serve, gateways: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("served")) as served:
        gateways.append(served.api)
        yield served


def files_below(folder: Path) -> list[Path]:
    """Paths of all files below a folder, relative to it."""
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def media_files(settings: Settings) -> Callable[[], list[Path]]:
    """What the media store of the gateway in this process holds."""
    return lambda: files_below(settings.media_dir)
