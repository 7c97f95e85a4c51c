"""Two gateways and an embedder over either engine, with the models that collections are migrated between."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import compose_backends as backends
import httpx
import psutil
import running_stack

WITHIN_S = 240.0
BUILT_WITHIN_S = 1800.0
"""20,000 pictures on a busy machine; one that fails is told at once."""
_COMMON = {
    "SIGHTLINE_BATCH_PICTURES": "16",
    "SIGHTLINE_BATCHES_IN_FLIGHT": "4",
    "SIGHTLINE_DECODE_PROCESSES": "2",
    "SIGHTLINE_ENCODER_THREADS": "1",
    "SIGHTLINE_VISIBILITY_TIMEOUT_S": "5",
    "SIGHTLINE_MAX_ACTIVE_JOBS": "10000",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def until(condition: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> Any:
    """The first true answer of `condition`; AssertionError if there is none in time."""
    deadline = time.monotonic() + within_s
    answer: Any = None
    while time.monotonic() < deadline:
        try:
            answer = condition()
        except httpx.TransportError:
            answer = None
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s:.0f} s: {what} (last: {answer})")


@dataclass
class Lab:
    """What a test of migrations works with; `stored` says which versions the engine keeps."""

    gateways: list[httpx.Client]
    kill_embedder: Callable[[], None]
    kill_gateway: Callable[[], None]
    stored: Callable[[], set[str]]
    log: Callable[[], str]

    @property
    def api(self) -> httpx.Client:
        return self.gateways[1]

    def job(self, job_id: str) -> Any:
        return self.api.get(f"/v1/jobs/{job_id}").json()

    def ended_job(self, job_id: str) -> Any:
        return until(lambda: (job := self.job(job_id)) and job.get("finished_at") and job, f"{job_id} ends")

    def ingest(self, folder: Path, collection: str) -> Any:
        body = {"source": {"kind": "folder", "path": str(folder)}, "collection": collection}
        answer = self.api.post("/v1/ingest", json=body)
        assert answer.status_code == 202, answer.text
        return self.ended_job(answer.json()["id"])

    def migrate(self, **asked: Any) -> Any:
        answer = self.api.post("/v1/migrations", json=asked)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def migration(self, migration_id: str) -> Any:
        return self.api.get(f"/v1/migrations/{migration_id}").json()

    def act(self, migration_id: str, action: str, **body: Any) -> Any:
        answer = self.api.post(f"/v1/migrations/{migration_id}/{action}", json=body or None)
        assert answer.is_success, answer.text
        return answer.json()

    def in_state(self, migration_id: str, state: str, within_s: float = WITHIN_S) -> Any:
        def there() -> Any:
            found = self.migration(migration_id)
            assert found["state"] != "failed", found
            return found if found["state"] == state else None

        return until(there, f"migration {migration_id} is {state}", within_s)

    def space(self, gateway: httpx.Client, collection: str) -> str:
        answer = gateway.get("/v1/search", params={"q": "cat", "collection": collection})
        assert answer.status_code == 200, answer.text
        space: str = answer.json()["model"]["space"]
        return space

    def seconds_until_served(self, collection: str, space: str) -> float:
        """Until every gateway answers from a space."""
        began = time.monotonic()
        for gateway in self.gateways:
            until(lambda gateway=gateway: self.space(gateway, collection) == space, f"{space} serves")
        return time.monotonic() - began

    def images(self, collection: str) -> dict[str, Any]:
        """All pictures of a collection, by id."""
        found: dict[str, Any] = {}
        cursor = None
        while True:
            asked = {"collection": collection, "limit": 200} | ({"cursor": cursor} if cursor else {})
            page = self.api.get("/v1/images", params=asked).raise_for_status().json()
            found |= {image["id"]: image for image in page["items"]}
            cursor = page["next_cursor"]
            if cursor is None:
                return found


@contextmanager
def edge_lab(folder: Path, models: Path, first: str, roots: Path) -> Iterator[Lab]:
    """The embedded stack, and a second gateway beside its own."""
    environment = {**_COMMON, "SIGHTLINE_MODELS_DIR": str(models)}
    data = folder / "data"
    with ExitStack() as stack:
        up = stack.enter_context(running_stack.running(models / first, data, roots, environment=environment))
        port = backends.free_port()
        inherited = {
            name: value
            for name, value in up.child("sightline_api").environ().items()
            if name.startswith(("SIGHTLINE_", "OMP_", "OPENBLAS_"))
        }
        second = _gateway(folder, inherited, port)
        stack.callback(second.end)

        def stored() -> set[str]:
            catalog = json.loads((data / "index" / "collections.json").read_text())
            named = {entry["folder"]: entry["name"] for entry in catalog["collections"]}
            # A folder that the catalog does not name was left behind.
            return {named.get(one.name, f"left: {one.name}") for one in (data / "index" / "shards").iterdir()}

        def log() -> str:
            return up.log.read_text()[-6000:] + second.log.read_text()[-3000:]

        client = _client(port, stack)
        until(lambda: client.get("/readyz").is_success, "the second gateway is ready")
        yield Lab(
            gateways=[up.api, client],
            kill_embedder=lambda: _kill(up, "sightline_embedder"),
            kill_gateway=lambda: _kill(up, "sightline_api"),
            stored=stored,
            log=log,
        )


@contextmanager
def server_lab(folder: Path, models: Path, first: str, roots: Path) -> Iterator[Lab]:
    """Two gateways, an embedder, Redis and the double of a Qdrant server, over TCP."""
    with ExitStack() as stack:
        redis, qdrant = backends.open_backends(folder, stack)
        redis.start()
        qdrant.start()
        environment = {
            **_COMMON,
            "SIGHTLINE_DATA_DIR": str(folder / "data"),
            "SIGHTLINE_REDIS_URL": redis.url,
            "SIGHTLINE_QDRANT_URL": qdrant.url,
            "SIGHTLINE_QDRANT_API_KEY": qdrant.key,
            "SIGHTLINE_MODEL": str(models / first),
            "SIGHTLINE_MODELS_DIR": str(models),
            "SIGHTLINE_IMPORT_ROOTS": json.dumps([str(roots)]),
        }
        embedder = backends.Process(
            [sys.executable, "-m", "sightline_embedder"], environment, folder / "embedder.log"
        )
        ports = [backends.free_port(), backends.free_port()]
        gateways = [_gateway(folder, environment, port) for port in ports]
        for process in (embedder, *gateways):
            process.start()
            stack.callback(process.end)
        clients = [_client(port, stack) for port in ports]

        def killing(process: Any) -> Callable[[], None]:
            def kill() -> None:
                process.kill()
                process.start()

            return kill

        def stored() -> set[str]:
            headers = {"api-key": qdrant.key}
            answer = httpx.get(f"{qdrant.url}/collections", headers=headers).raise_for_status()
            return {one["name"] for one in answer.json()["result"]["collections"]}

        def log() -> str:
            return "".join(
                f"\n{one.log.name}\n{one.log.read_text()[-4000:]}" for one in (embedder, *gateways)
            )

        lab = Lab(clients, killing(embedder), killing(gateways[0]), stored, log)
        for client in clients:
            until(lambda client=client: client.get("/readyz").is_success, "the gateway is ready")
        yield lab


def _gateway(folder: Path, environment: Mapping[str, str], port: int) -> backends.Process:
    gateway = backends.Process(
        [sys.executable, "-m", "sightline_api"],
        {**environment, "SIGHTLINE_PORT": str(port)},
        folder / f"api-{port}.log",
    )
    gateway.start()
    return gateway


def _client(port: int, stack: ExitStack) -> httpx.Client:
    return stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))


def _kill(stack: Any, module: str) -> None:
    def child() -> psutil.Process | None:
        # What was killed just now is still among the children, and no process any more.
        with suppress(psutil.NoSuchProcess, AssertionError):
            found: psutil.Process = stack.child(module)
            return found
        return None

    until(child, f"{module} runs").send_signal(signal.SIGKILL)


def models_folder(folder: Path, artifacts: Mapping[str, Path]) -> Path:
    """Artifacts in one folder, under names."""
    folder.mkdir()
    for name, artifact in artifacts.items():
        shutil.copytree(artifact, folder / name, copy_function=os.link)
    return folder
