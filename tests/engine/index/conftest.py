"""Indexes to test: a real index process over its socket, and the server adapter over real clients."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray
from qdrant_client import QdrantClient

from sightline.identity import point_id
from sightline.index import CollectionSpec, Point, VectorIndex
from sightline.index.edge.client import EdgeClient
from sightline.index.placement import Cluster
from sightline.index.server.engine import QdrantServer
from sightline.index.server.index import ServerIndex
from sightline.index.server.points import QdrantPoints
from sightline.payload import FieldType, FirstIndexed, Payload, indexed_fields

DIMENSION = 16
SPACE = "space-a"
NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)
METADATA = {
    "sku": FieldType.KEYWORD,
    "stock": FieldType.INTEGER,
    "ratio": FieldType.FLOAT,
    "when": FieldType.DATETIME,
    "public": FieldType.BOOL,
}


@dataclass
class IndexProcess:
    """An index process on `folder`, started and stopped as often as a test likes."""

    folder: Path
    children: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    clients: list[EdgeClient] = field(default_factory=list)

    @property
    def socket(self) -> Path:
        return self.folder / "run" / "index.sock"

    def start(self, *arguments: str, pass_fds: Sequence[int] = ()) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "sightline.index.edge.process"]
        command += ["--folder", str(self.folder / "index"), "--socket", str(self.socket), *arguments]
        child = subprocess.Popen(command, pass_fds=pass_fds, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.children.append(child)
        return child

    def client(self, **options: float) -> EdgeClient:
        client = EdgeClient(self.socket, **options)
        self.clients.append(client)
        return client

    def end(self) -> None:
        for client in self.clients:
            client.close()
        for child in self.children:
            child.kill()
            child.communicate()


class _OneAtATime(QdrantPoints):
    """The client's memory mode does not bear threads."""

    _turn = Lock()

    def merge_payload(self, *arguments: Any, **options: Any) -> None:
        with self._turn:
            super().merge_payload(*arguments, **options)

    def remove_payload(self, *arguments: Any) -> None:
        with self._turn:
            super().remove_payload(*arguments)

    def delete_matching(self, *arguments: Any) -> None:
        with self._turn:
            super().delete_matching(*arguments)

    def retrieve(self, *arguments: Any, **options: Any) -> Any:
        with self._turn:
            return super().retrieve(*arguments, **options)


@pytest.fixture(scope="session")
def fast_folder() -> Iterator[Path]:
    """A folder with a short path (sockets need one) and, where there is one, on a file system in memory."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="sl-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def start_index(fast_folder: Path) -> Iterator[Callable[[], IndexProcess]]:
    """Starts index processes that end with the module."""
    with ExitStack() as stack:

        def start() -> IndexProcess:
            process = IndexProcess(fast_folder / uuid4().hex[:8])
            stack.callback(process.end)
            process.start()
            return process

        yield start


@pytest.fixture
def process(fast_folder: Path) -> Iterator[IndexProcess]:
    """An index process of the test's own, not started yet."""
    process = IndexProcess(fast_folder / uuid4().hex[:8])
    yield process
    process.end()


@pytest.fixture(scope="session", params=["edge", "memory", "server"])
def index(request: pytest.FixtureRequest, fast_folder: Path) -> Iterator[VectorIndex]:
    """Each adapter in turn."""
    with ExitStack() as stack:
        match request.param:
            case "edge":
                process = IndexProcess(fast_folder / "shared")
                stack.callback(process.end)
                process.start()
                made: VectorIndex = process.client()
            case "memory":
                client = QdrantClient(":memory:")
                server = QdrantServer(client)
                server.points = _OneAtATime(client, Cluster())
                made = ServerIndex(server)
            case _:
                url = os.environ.get("SIGHTLINE_TEST_QDRANT_URL")
                key = os.environ.get("SIGHTLINE_TEST_QDRANT_API_KEY")
                made = ServerIndex.at(url or request.getfixturevalue("qdrant_double_url"), api_key=key)
        stack.callback(made.close)
        yield made


@pytest.fixture
def spec(index: VectorIndex) -> Iterator[CollectionSpec]:
    """What to make a collection of the test's own with; dropped at the end."""
    spec = CollectionSpec(f"test-{uuid4().hex}", SPACE, DIMENSION, indexed_fields(METADATA))
    yield spec
    if any(info.name == spec.name for info in index.collections()):
        index.drop_collection(spec.name)


@pytest.fixture
def collection(index: VectorIndex, spec: CollectionSpec) -> str:
    """The name of an empty collection of the test's own."""
    return index.ensure_collection(spec).name


@pytest.fixture(scope="session")
def make_point() -> Callable[..., Point]:
    """A point by number: its id, its vector and its payload follow from the number."""

    def make(number: int, *, vector: NDArray[np.float32] | None = None, **payload: Any) -> Point:
        sha256 = f"{number:064x}"
        if vector is None:
            vector = np.random.default_rng(number).normal(size=DIMENSION).astype(np.float32)
            vector /= np.linalg.norm(vector)
        values = {
            "sha256": sha256,
            "space": SPACE,
            "model": "starter",
            "numerics": "openvino-f32",
            "format": "jpeg",
            "width": 640,
            "height": 480,
            "bytes": 1000 + number,
            "indexed_at": NOON,
            "sort_at": NOON,
            "first_indexed": FirstIndexed(job="job", source="source"),
        }
        return Point(point_id(sha256), vector, Payload(**(values | payload)))

    return make
