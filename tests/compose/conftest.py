"""The deployment of compose without containers: every service a process of its own, over TCP.

The Qdrant server is the double, or the server that SIGHTLINE_TEST_QDRANT_URL names (with
SIGHTLINE_TEST_QDRANT_API_KEY); with SIGHTLINE_TEST_CONTAINERS=1 it and Redis are the official images.
"""

import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import compose_backends as backends
import httpx
import pytest
from PIL import Image
from sentinel_crew import Crew, running_crew

API_KEY = "the-key-of-this-deployment"
WITHIN_S = 90.0
"""Longer than anything here takes on a busy machine."""


@dataclass
class Deployment:
    """One api and two embedders of ours, and the Redis and Qdrant that they use."""

    folder: Path
    artifact: Path
    pictures: Path
    redis: Any
    qdrant: Any
    environment: dict[str, str] = field(default_factory=dict)
    """Settings beside those that every one has."""
    api: Any = field(init=False)
    embedders: list[Any] = field(init=False)
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        port = backends.free_port()
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": API_KEY}, timeout=60
        )
        self.api = self._ours("sightline_api", "api", {"SIGHTLINE_PORT": str(port)})
        self.embedders = [self._ours("sightline_embedder", f"embedder-{number}") for number in range(2)]

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """The first true answer of `condition`; AssertionError with the logs if there is none in time."""
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            if answer := condition():
                return answer
            time.sleep(0.05)
        logs = "".join(f"\n--- {one.log.name}\n" + "\n".join(one.lines()[-40:]) for one in self.ours())
        raise AssertionError(f"not within {WITHIN_S:.0f} s: {what}{logs}")

    def ours(self) -> list[Any]:
        """Our processes."""
        return [self.api, *self.embedders]

    def end(self) -> None:
        """End our processes, side by side."""
        for process in self.ours():
            if process.alive():
                process.signal(signal.SIGTERM)
        for process in self.ours():
            process.end()

    def mend(self) -> None:
        """Start what is not running, undo what the double was told, and wait until all is well."""
        for service in (self.redis, self.qdrant, self.api, *self.embedders):
            service.start()
        if self.qdrant.control is not None:
            self.qdrant.behave()
        self.until(lambda: all(one.has_logged("embedder_ready") for one in self.embedders), "embedders ready")
        self.until(self.is_ready, "the api ready")

    def is_ready(self) -> bool:
        return self.get("/readyz") is not None and self.client.get("/readyz").is_success

    def get(self, path: str) -> httpx.Response | None:
        """An answer of the api, or None where nothing listens."""
        try:
            return self.client.get(path)
        except httpx.TransportError:
            return None

    def ingest(self, folder: Path, collection: str) -> str:
        source = {"kind": "folder", "path": str(folder)}
        answer = self.client.post("/v1/ingest", json={"source": source, "collection": collection})
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def job(self, job_id: str) -> Any:
        """The job, or None while the api cannot tell."""
        answer = self.get(f"/v1/jobs/{job_id}")
        return answer.json() if answer is not None and answer.is_success else None

    def ended_job(self, job_id: str) -> Any:
        def ended() -> Any:
            job = self.job(job_id)
            return job if job and job["finished_at"] else None

        return self.until(ended, f"job {job_id} ended")

    def under_way(self, job_id: str, at_least: int = 1) -> None:
        """Return once some pictures of the job are indexed, and others are not."""

        def begun() -> Any:
            job = self.job(job_id)
            return job if job and job["counts"]["indexed"] >= at_least else None

        job = self.until(begun, f"{at_least} pictures of job {job_id} indexed")
        assert not job["finished_at"], "the job was over before anything could happen to it"

    def batches(self, embedder: Any, job_id: str) -> int:
        """How many batches of the job this embedder has done since its start."""
        return sum("event=batch_done" in line and f"job_id={job_id}" in line for line in embedder.lines())

    def points(self, collection: str) -> int:
        found = {one["name"]: one for one in self.client.get("/v1/stats").json()["collections"]}
        points: int = found[collection]["points"]
        return points

    def assert_all_indexed(self, job_id: str, collection: str, pictures: int, more: int = 0) -> None:
        """The job has ended well, every picture was indexed, once, and none was blamed.

        The collection holds `more` pictures of other jobs.
        """
        job = self.ended_job(job_id)
        assert job["counts"]["failed"] == 0, self.client.get(f"/v1/jobs/{job_id}/failures").json()
        assert (job["state"], job["counts"]["indexed"], job["counts"]["total"]) == (
            "succeeded",
            pictures,
            pictures,
        )
        assert self.points(collection) == pictures + more

    def _ours(self, module: str, name: str, more: dict[str, str] | None = None) -> Any:
        environment = {
            "SIGHTLINE_DATA_DIR": str(self.folder / "data"),
            "SIGHTLINE_REDIS_URL": self.redis.url,
            "SIGHTLINE_QDRANT_URL": self.qdrant.url,
            "SIGHTLINE_QDRANT_API_KEY": self.qdrant.key,
            "SIGHTLINE_MODEL": str(self.artifact),
            "SIGHTLINE_API_KEY": API_KEY,
            "SIGHTLINE_IMPORT_ROOTS": f'["{self.pictures}"]',
            "SIGHTLINE_VISIBILITY_TIMEOUT_S": "5",
            "SIGHTLINE_BATCH_PICTURES": "8",
            "SIGHTLINE_DECODE_PROCESSES": "1",
            "SIGHTLINE_ENCODER_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        return backends.Process(
            [sys.executable, "-m", module],
            environment | self.environment | (more or {}),
            self.folder / f"{name}.log",
        )


@pytest.fixture(scope="session")
def many_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of small pictures, named after how many they hold; no two are alike."""
    root = tmp_path_factory.mktemp("many")
    chance = random.Random(7)
    for number in (8, 96, 200):
        (root / str(number)).mkdir()
        for one in range(number):
            image = Image.frombytes("RGB", (16, 16), chance.randbytes(16 * 16 * 3))
            image.resize((96, 96)).save(root / str(number) / f"{one:03}.jpg")
    return root


@pytest.fixture(scope="session")
def make_deployment(
    starter_artifact: Path, many_pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Any]:
    """Makes deployments, nothing of them started: a context manager that ends them."""

    @contextmanager
    def make() -> Iterator[Deployment]:
        folder = tmp_path_factory.mktemp("deployment")
        with ExitStack() as stack:
            redis, qdrant = backends.open_backends(folder, stack)
            made = Deployment(folder, starter_artifact, many_pictures, redis, qdrant)
            stack.callback(made.end)
            stack.callback(made.client.close)
            yield made

    return make


@pytest.fixture(scope="session")
def make_watched_deployment(
    tiny_clip_artifact: Path, many_pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Any]:
    """As `make_deployment`, with a Redis that sentinels watch: every job waits for its replica."""

    @contextmanager
    def make() -> Iterator[tuple[Deployment, Crew]]:
        folder = tmp_path_factory.mktemp("watched")
        with running_crew(folder) as crew, ExitStack() as stack:
            qdrant = backends.double_process(folder, stack)
            more = {"SIGHTLINE_REDIS_WAIT_REPLICAS": "1"}
            redis = backends.Elsewhere(crew.url)
            made = Deployment(folder, tiny_clip_artifact, many_pictures, redis, qdrant, more)
            stack.callback(made.end)
            stack.callback(made.client.close)
            yield made, crew

    return make


@pytest.fixture(scope="module")
def running(make_deployment: Callable[[], Any]) -> Iterator[Deployment]:
    """A deployment for the tests of one module."""
    with make_deployment() as made:
        yield made


@pytest.fixture
def deployment(running: Deployment) -> Deployment:
    """The module's deployment, all of it running and well."""
    running.mend()
    return running


@pytest.fixture
def double(deployment: Deployment) -> Any:
    """The double of the deployment, to be told to misbehave."""
    if deployment.qdrant.control is None:
        pytest.skip("only the double of Qdrant can be told to misbehave, and the tests use a real server")
    return deployment.qdrant


@pytest.fixture
def collection() -> str:
    """A name for a collection of the test's own."""
    return f"test-{uuid4().hex[:12]}"
