"""A compose project of the suite's own, as an operator runs it: `docker compose`, its containers, its API."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
ONE_SERVER = "docker-compose.yml:tests/compose/docker-compose.lab.yml"
CLUSTER = f"{ONE_SERVER}:deploy/cluster/docker-compose.yml:tests/compose/docker-compose.cluster-lab.yml"
_HEALTHY_S = 300


class Deployment:
    """A compose project of its own, with fresh secrets and a folder of pictures."""

    def __init__(self, work: Path, pip_options: str) -> None:
        self.photos = work / "photos"
        self.photos.mkdir()
        env_file = work / "env"
        subprocess.run(["sh", "scripts/make-env", str(env_file)], cwd=ROOT, check=True, capture_output=True)
        self.secrets = dict(
            line.split("=") for line in env_file.read_text().splitlines() if "=" in line[1:30]
        )
        self.port = _free_port()
        self._environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": "sightline-test",
            "COMPOSE_FILE": ONE_SERVER,
            "COMPOSE_ENV_FILES": str(env_file),
            "SIGHTLINE_PORT": str(self.port),
            "PHOTOS": str(self.photos),
            "PIP_OPTIONS": pip_options,
        }
        key = {"Authorization": f"Bearer {self.secrets['SIGHTLINE_API_KEY']}"}
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=key, timeout=30)

    def use(self, files: str) -> None:
        """Speak of the services of other files from now on."""
        self._environment["COMPOSE_FILE"] = files

    def compose(self, *arguments: str, check: bool = True, within_s: float = 900) -> str:
        """Run `docker compose` and give its output."""
        ended = subprocess.run(
            ["docker", "compose", *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
        assert not check or ended.returncode == 0, f"{arguments}:\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout + ended.stderr

    def up(self, *arguments: str) -> None:
        """`docker compose up`, until everything is healthy; shows the logs when it does not come to that."""
        ended = self.compose("up", "-d", "--wait", "--wait-timeout", str(_HEALTHY_S), *arguments, check=False)
        states = [one["Health"] for one in self.containers() if one["Service"] != "model"]
        if set(states) != {"healthy"}:
            raise AssertionError(ended + self.compose("logs", "--tail", "40"))

    def containers(self) -> list[dict[str, Any]]:
        """What `docker compose ps` says of each container."""
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def inspect(self, service: str) -> list[dict[str, Any]]:
        """What the engine says of each container of a service."""
        names = [one["Name"] for one in self.containers() if one["Service"] == service]
        said: list[dict[str, Any]] = json.loads(docker("inspect", *names))
        return said

    def points(self) -> int:
        """How many pictures the index holds."""
        return sum(one["points"] for one in self.api.get("/v1/stats").json()["collections"])

    def ingest(self, folder: str) -> str:
        """Start a job on a folder below the photos; its id."""
        source = {"kind": "folder", "path": f"/photos/{folder}"}
        answer = self.api.post("/v1/ingest", json={"source": source})
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        """The job's record."""
        answer = self.api.get(f"/v1/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def ended_job(self, job_id: str, within_s: float) -> dict[str, Any]:
        """The job once it has ended."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            job = self.job(job_id)
            if job["finished_at"]:
                return job
            time.sleep(0.5)
        raise AssertionError(f"{job}\n{self.compose('logs', '--tail', '60', 'embedder', 'api')}")


def docker(*arguments: str) -> str:
    """Run `docker` and give its output; raises CalledProcessError."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
