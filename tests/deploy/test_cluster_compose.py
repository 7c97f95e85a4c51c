"""deploy/cluster/docker-compose.yml fits docker-compose.yml, the settings and the adapter."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sightline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "cluster" / "docker-compose.yml"
NODES = ("qdrant", "qdrant-2", "qdrant-3")


class Loader(yaml.SafeLoader):
    """Knows Compose's own tags."""


Loader.add_constructor("!reset", lambda *_: None)
Loader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node, deep=True))


@pytest.fixture(scope="module")
def one_server() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def cluster() -> Any:
    return yaml.load(FILE.read_text(), Loader)


def default(value: str) -> str:
    found = re.fullmatch(r"\$\{\w+:-(.*)\}", value)
    assert found, value
    return found[1]


@pytest.mark.parametrize("service", ["api", "embedder", "embedder-gpu"])
def test_settings_are_those_of_a_cluster_that_can_be(
    cluster: Any, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = cluster["services"][service]["environment"]
    for name, value in environment.items():
        monkeypatch.setenv(name, default(value))
    monkeypatch.setenv("SIGHTLINE_QDRANT_URL", "http://qdrant:6333")
    settings = Settings()
    assert settings.qdrant_more_urls == [f"http://{name}:6333" for name in NODES[1:]]
    assert (settings.qdrant_shards or 0) % len(NODES) == 0
    assert 1 < (settings.qdrant_replication_factor or 1) <= len(NODES)


def test_every_variable_is_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    for name in re.findall(r"(?<!\$)\$\{(\w+)", FILE.read_text()):
        assert re.search(rf"^(# )?{name}=", example, re.MULTILINE), name


def test_nodes_find_one_another_and_keep_their_own_data(cluster: Any, one_server: Any) -> None:
    services = cluster["services"]
    for node in NODES:
        assert services[node]["environment"]["QDRANT__CLUSTER__ENABLED"] == "true"
        assert services[node]["command"][-1] == f"http://{node}:6335"
    for node in NODES[1:]:
        assert services[node]["extends"] == {"file": "docker-compose.yml", "service": "qdrant"}
        assert services[node]["command"][1:3] == ["--bootstrap", "http://qdrant:6335"]
    mounts = [services[node]["volumes"] for node in NODES[1:]] + [one_server["services"]["qdrant"]["volumes"]]
    targets = [[volume.split(":")[1] for volume in volumes] for volumes in mounts]
    assert targets[0] == targets[1] == targets[2]
    named = [volume.split(":")[0] for volumes in mounts for volume in volumes]
    assert len(named) == len(set(named)) == 6
    assert set(named) <= {*cluster["volumes"], *one_server["volumes"]}


def test_the_proxy_alone_is_published_and_is_confined(cluster: Any, one_server: Any) -> None:
    proxy = cluster["services"]["proxy"]
    assert [name for name, one in cluster["services"].items() if one.get("ports")] == ["proxy"]
    assert "ports" in cluster["services"]["api"]
    assert proxy["ports"][0].startswith("${SIGHTLINE_HOST:-127.0.0.1}:${SIGHTLINE_PORT:-8000}:")
    assert "inner" not in proxy["networks"]
    for name, value in one_server["x-hardened"].items():
        assert proxy[name] == value, name
    assert re.fullmatch(r"haproxy:\d+\.\d+\.\d+", proxy["image"])
    config = (ROOT / "deploy" / "cluster" / "haproxy.cfg").read_text()
    assert f"bind :{proxy['ports'][0].rpartition(':')[2]}\n" in config
    assert "server-template api 1-16 api:8000" in config


def test_docker_compose_takes_it(tmp_path: Path) -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("there is no docker compose on this machine")
    env = tmp_path / "env"
    subprocess.run(["sh", str(ROOT / "scripts" / "make-env"), str(env)], check=True, capture_output=True)
    files = [word for file in ("docker-compose.yml", str(FILE)) for word in ("-f", file)]
    command = ["docker", "compose", "--env-file", str(env), *files, "config", "--format", "json"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    services = json.loads(made.stdout)["services"]
    assert [name for name, one in services.items() if one.get("ports")] == ["proxy"]
    assert all(one["read_only"] and one["cap_drop"] == ["ALL"] for one in services.values())
    assert [services[name]["scale"] for name in ("api", "embedder")] == [2, 2]
    assert len({one["source"] for name in NODES for one in services[name]["volumes"]}) == 6
