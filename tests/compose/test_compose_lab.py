"""The deployment, run for real: images built, containers started, killed, scaled and started again.

Needs a Docker Engine and takes minutes: `make test-compose` runs it. Where no image can be pulled the
override docker-compose.lab.yml puts a double in the place of Qdrant; the model is `starter`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
from compose_deployment import CLUSTER, ROOT, Deployment, docker
from PIL import Image
from served_wheels import served_wheels

IMAGES = ("api", "embedder", "embedder-gpu", "model", "qdrant")
SERVERS = ("api", "embedder", "redis", "qdrant")
MAX_API_IMAGE_BYTES = 700_000_000


def _why_not() -> str | None:
    if os.environ.get("SIGHTLINE_TEST_COMPOSE") != "1":
        return "builds images and takes minutes: `make test-compose` runs it where a Docker Engine is"
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "version"], capture_output=True).returncode
    ):
        return "no Docker Engine answers `docker version`"
    return None


pytestmark = pytest.mark.skipif(_why_not() is not None, reason=_why_not() or "")


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """A deployment whose images are built; taken down with its volumes at the end."""
    with ExitStack() as stack:
        # Not pytest's folder: containers run as another user, who must be able to read the pictures.
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sightline-compose-")))
        work.chmod(0o755)
        deployment = Deployment(work, stack.enter_context(served_wheels()))
        stack.callback(deployment.api.close)
        stack.callback(
            deployment.compose, "--profile", "gpu", "down", "--volumes", "--timeout", "5", check=False
        )
        # The double is built on the api's image.
        for services in (("api",), ("embedder", "embedder-gpu", "model", "qdrant")):
            deployment.compose("build", "--quiet", *services)
        yield deployment


@pytest.fixture(scope="module")
def running(deployment: Deployment) -> Deployment:
    """The deployment, up and healthy, with 100 pictures uploaded through the published port."""
    deployment.up()
    files = [("files", (f"{n}.jpg", data)) for n, data in enumerate(map(_picture, range(100)))]
    answer = deployment.api.post("/v1/images", files=files)
    assert answer.status_code == 202, answer.text
    job = deployment.ended_job(answer.json()["id"], within_s=120)
    assert job["counts"]["indexed"] == 100, job
    return deployment


def test_files_are_clean_and_secrets_are_required(deployment: Deployment) -> None:
    assert deployment.compose("config", "--quiet") == ""
    without = subprocess.run(
        ["docker", "compose", "--env-file", os.devnull, "config", "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert without.returncode != 0
    assert "sh scripts/make-env" in without.stderr


def test_images_are_small_and_only_the_builders_hold_torch(deployment: Deployment) -> None:
    sizes = {
        name: int(docker("image", "inspect", f"sightline-{name}", "-f", "{{.Size}}")) for name in IMAGES[:4]
    }
    sys.stderr.write(f"\nimage sizes, MB: { {name: size // 1_000_000 for name, size in sizes.items()} }\n")
    assert sizes["api"] < MAX_API_IMAGE_BYTES
    look = "import importlib.util as u, sys; sys.exit(u.find_spec('torch') is not None)"
    has_torch = {
        name: subprocess.run(
            [
                "docker",
                "run",
                "--rm",
                "--network=none",
                "--entrypoint=python",
                f"sightline-{name}",
                "-c",
                look,
            ]
        ).returncode
        for name in sizes
    }
    assert has_torch == {"api": 0, "embedder": 0, "embedder-gpu": 1, "model": 1}


def test_pictures_that_went_in_are_found(running: Deployment) -> None:
    for number in (3, 42, 99):
        answer = running.api.post("/v1/search/image", files={"file": _picture(number)}, data={"limit": "1"})
        (hit,) = answer.json()["hits"]
        assert hit["image"]["sources"][0]["uri"] == f"upload:{number}.jpg"
        assert hit["score"] > 0.999
        assert running.api.get(hit["image"]["thumbnail_url"]).headers["content-type"] == "image/webp"
    assert len(running.api.get("/v1/search", params={"q": "a cat", "limit": 5}).json()["hits"]) == 5


def test_containers_are_confined(running: Deployment) -> None:
    for service in SERVERS:
        for container in running.inspect(service):
            host = container["HostConfig"]
            assert host["ReadonlyRootfs"], service
            assert host["CapDrop"] == ["ALL"], service
            assert host["SecurityOpt"] == ["no-new-privileges:true"], service
            uid = running.compose("exec", "-T", service, "id", "-u").strip()
            assert uid.isdigit(), service
            assert uid != "0", service
            written = running.compose("exec", "-T", service, "touch", "/opt/mark", check=False)
            assert "Read-only file system" in written, service


def test_only_the_api_is_published_and_it_wants_its_key(running: Deployment) -> None:
    published = {
        service: [one for one in container["NetworkSettings"]["Ports"].values() if one]
        for service in SERVERS
        for container in running.inspect(service)
    }
    assert published.pop("api") == [[{"HostIp": "127.0.0.1", "HostPort": str(running.port)}]]
    assert not any(published.values())
    answer = httpx.get(f"http://127.0.0.1:{running.port}/v1/stats")
    assert answer.status_code == 401
    reply = running.compose("exec", "-T", "-e", "REDISCLI_AUTH=", "redis", "redis-cli", "ping")
    assert "NOAUTH" in reply


def test_placeholder_secrets_are_refused(running: Deployment) -> None:
    run = ("run", "--rm", "--no-deps", "-T", "-e", "SIGHTLINE_API_KEY=change-me-change-me", "api")
    said = running.compose(*run, check=False, within_s=60)
    assert "SIGHTLINE_API_KEY is a placeholder" in said


def test_everything_is_kept_over_down_and_up(running: Deployment) -> None:
    before = running.points()
    assert before >= 100
    running.compose("down")
    started = time.monotonic()
    running.up()
    sys.stderr.write(f"\nhealthy again after {time.monotonic() - started:.0f} s\n")
    assert running.points() == before
    assert len(running.api.get("/v1/jobs").json()["items"]) >= 1
    test_pictures_that_went_in_are_found(running)


def test_three_embedders_share_the_work(running: Deployment) -> None:
    _draw(running.photos / "shared", range(1000, 1400))
    running.up("--scale", "embedder=3")
    job = running.ended_job(running.ingest("shared"), within_s=180)
    assert job["counts"]["indexed"] == 400
    logs = running.compose("logs", "--no-color", "embedder").splitlines()
    workers = {line.split()[0] for line in logs if "batch_done" in line and job["id"] in line}
    assert len(workers) == 3
    running.up("--scale", "embedder=1")


def test_nothing_is_lost_when_embedder_and_redis_are_killed(running: Deployment) -> None:
    _draw(running.photos / "killed", range(2000, 3000))
    before = running.points()
    job_id = running.ingest("killed")
    while running.job(job_id)["counts"]["indexed"] < 150:
        time.sleep(0.1)
    running.compose("kill", "-s", "KILL", "embedder", "redis")
    started = time.monotonic()
    running.up()
    job = running.ended_job(job_id, within_s=400)
    sys.stderr.write(f"\nended {time.monotonic() - started:.0f} s after the kill: {job['counts']}\n")
    assert job["counts"] == {
        "total": 1000, "pending": 0, "indexed": 1000, "unchanged": 0, "failed": 0, "canceled": 0
    }  # fmt: skip
    assert running.points() == before + 1000
    assert not running.api.get(f"/v1/jobs/{job_id}/failures").json()["items"]


@pytest.fixture(scope="module")
def cluster(deployment: Deployment) -> Deployment:
    """The cluster of deploy/cluster in the place of the one server, with 100 pictures."""
    deployment.compose("down", "--volumes", "--timeout", "5")
    deployment.use(CLUSTER)
    deployment.compose("build", "--quiet", "proxy")
    started = time.monotonic()
    deployment.up()
    sys.stderr.write(f"\ncluster healthy after {time.monotonic() - started:.0f} s\n")
    files = [("files", (f"{n}.jpg", data)) for n, data in enumerate(map(_picture, range(100)))]
    answer = deployment.api.post("/v1/images", files=files)
    assert answer.status_code == 202, answer.text
    assert deployment.ended_job(answer.json()["id"], within_s=180)["counts"]["indexed"] == 100
    return deployment


@pytest.mark.long
def test_the_cluster_has_two_of_each_behind_the_proxy(cluster: Deployment) -> None:
    running = [one["Service"] for one in cluster.containers() if one["State"] == "running"]
    assert {name: running.count(name) for name in sorted(set(running))} == {
        "api": 2, "embedder": 2, "proxy": 1, "qdrant": 1, "qdrant-2": 1, "qdrant-3": 1, "redis": 1
    }  # fmt: skip
    published = {
        container["Config"]["Labels"]["com.docker.compose.service"]
        for service in sorted(set(running))
        for container in cluster.inspect(service)
        if any(container["NetworkSettings"]["Ports"].values())
    }
    assert published == {"proxy"}
    for service in ("proxy", "qdrant-2"):
        (container,) = cluster.inspect(service)
        assert container["HostConfig"]["ReadonlyRootfs"]
        assert container["HostConfig"]["CapDrop"] == ["ALL"]
        assert cluster.compose("exec", "-T", service, "id", "-u").strip() != "0"
    (placed,) = cluster.api.get("/v1/collections").json()["items"]
    assert (placed["placement"]["shards"], placed["placement"]["replication_factor"]) == (6, 2)
    assert placed["placement"]["note"] is None


@pytest.mark.long
def test_events_come_through_the_proxy_as_they_happen(cluster: Deployment) -> None:
    _draw(cluster.photos / "events", range(3000, 3300))
    job_id = cluster.ingest("events")
    with cluster.api.stream("GET", f"/v1/jobs/{job_id}/events", timeout=120) as events:
        first = next(events.iter_text())
    assert "event: progress" in first
    assert cluster.ended_job(job_id, within_s=180)["counts"]["indexed"] == 300


@pytest.mark.long
def test_an_api_and_nodes_may_go_while_searches_go_on(cluster: Deployment) -> None:
    names = [one["Name"] for one in cluster.containers() if one["Service"] == "api"]
    statuses: list[int] = []
    for number in range(60):
        if number == 20:
            docker("kill", names[0])
        if number == 40:
            cluster.compose("kill", "qdrant-2", "qdrant-3")
        with suppress(httpx.TransportError):
            statuses.append(cluster.api.get("/v1/search", params={"q": f"picture {number}"}).status_code)
    # Whatever was under way with the api that was killed may be lost, and nothing else.
    assert statuses.count(200) >= 59, str(statuses)
    assert len(statuses) >= 59
    cluster.up()
    states = [one["State"] for one in cluster.containers() if one["Service"] == "api"]
    assert states == ["running", "running"]


def _picture(number: int) -> bytes:
    """A picture that no other number gives, as JPEG."""
    noise = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    with tempfile.SpooledTemporaryFile() as file:
        Image.fromarray(noise).resize((240, 240), Image.Resampling.BICUBIC).save(file, "JPEG")
        file.seek(0)
        return file.read()


def _draw(folder: Path, numbers: range) -> None:
    folder.mkdir()
    for number in numbers:
        (folder / f"{number}.jpg").write_bytes(_picture(number))
