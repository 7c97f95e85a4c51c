"""The gateway in this process, over a real Redis, a real index process and the starter model."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tenacity import retry, stop_after_delay, wait_fixed

from sightline.index.edge_client import EdgeClient
from sightline.settings import Settings
from sightline_api.app import create_app


@pytest.fixture(scope="session")
def index_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("index")
    socket = folder / "index.sock"
    command = [sys.executable, "-m", "sightline.index.edge_process", "--folder", str(folder / "shards")]
    process = subprocess.Popen([*command, "--socket", str(socket)])
    with closing(EdgeClient(socket, patience_s=0.1)) as index:
        retry(stop=stop_after_delay(20), wait=wait_fixed(0.05))(index.ping)()
    yield socket
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="session")
def settings(
    redis_url: str, index_socket: Path, starter_artifact: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    return Settings(
        redis_url=redis_url,
        index_socket=index_socket,
        model=str(starter_artifact),
        data_dir=tmp_path_factory.mktemp("data"),
        max_upload_files=3,
        max_picture_bytes=2_000_000,
        allowed_hosts=["testserver"],
    )


@pytest.fixture(scope="session")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        yield client
