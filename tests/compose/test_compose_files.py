"""docker-compose.yml, .env.example, the Dockerfiles and the settings agree. Needs no Docker."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sightline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:[-?])?([^}]*)\}")
OURS = ("api", "embedder", "embedder-gpu")
THEIRS = ("redis", "qdrant")
DOCKERFILES = {
    "api": "services/api/Dockerfile",
    "embedder": "services/embedder/Dockerfile",
    "embedder-gpu": "services/embedder/Dockerfile",
    "model": "services/embedder/Dockerfile",
}


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load(COMPOSE.read_text())


@pytest.fixture(scope="module")
def services(compose: Any) -> Any:
    return compose["services"]


def dockerfile(service: str) -> str:
    return (ROOT / DOCKERFILES[service]).read_text()


def stage(text: str, name: str) -> str:
    """The instructions of one stage of a Dockerfile, and of those it is built from."""
    stages = dict(re.findall(r"^FROM [^\n]* AS (\S+)\n(.*?)(?=^FROM |\Z)", text, re.MULTILINE | re.DOTALL))
    parent = re.search(rf"^FROM (\S+) AS {name}$", text, re.MULTILINE)
    assert parent, name
    return (stage(text, parent[1]) if parent[1] in stages else "") + stages[name]


def example_variables() -> set[str]:
    return set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_every_variable_is_a_setting_or_in_the_example() -> None:
    used = {name for name, _, _ in VARIABLE.findall(COMPOSE.read_text())}
    assert used
    assert used <= example_variables()


def test_build_arguments_are_in_the_dockerfiles_and_the_example(services: Any) -> None:
    for name, file in DOCKERFILES.items():
        taken = set(re.findall(r"^ARG (\w+)", (ROOT / file).read_text(), re.MULTILINE))
        offered = set(services[name]["build"]["args"])
        assert taken <= offered <= example_variables(), name


@pytest.mark.parametrize("service", OURS)
def test_every_setting_given_to_a_service_exists(services: Any, service: str) -> None:
    in_image = re.findall(r"SIGHTLINE_\w+(?==)", dockerfile(service))
    given = [*services[service]["environment"], *in_image]
    ours = {name for name in given if name.startswith("SIGHTLINE_")}
    assert {name.removeprefix("SIGHTLINE_").lower() for name in ours} <= set(Settings.model_fields)
    assert len(ours) > 8


@pytest.mark.parametrize("service", OURS)
def test_given_settings_are_valid(
    services: Any, service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in services[service]["environment"].items():
        monkeypatch.setenv(
            name, VARIABLE.sub(lambda found: found[3] if found[2] == ":-" else "a-secret", value)
        )
    given = Settings()
    assert given.redis_url == "redis://:a-secret@redis:6379/0"
    assert given.qdrant_url == "http://qdrant:6333"
    assert not given.sole_embedder
    assert given.runtime.value == ("torch" if service == "embedder-gpu" else "openvino")


@pytest.mark.parametrize("service", OURS)
def test_paths_are_where_the_volumes_are(services: Any, service: str) -> None:
    mounts = {target: source for source, target in _mounts(services[service])}
    environment = services[service]["environment"]
    assert mounts[environment["SIGHTLINE_DATA_DIR"]] == "media"
    assert mounts["/models:ro"] == "model"
    assert environment["SIGHTLINE_MODEL"].startswith("/models/")
    assert [f"{root}:ro" for root in json.loads(environment["SIGHTLINE_IMPORT_ROOTS"])] == ["/photos:ro"]
    assert "/photos:ro" in mounts
    assert "/data /models" in stage(dockerfile(service), services[service]["build"].get("target", "api"))


def test_model_is_built_where_the_services_look(services: Any) -> None:
    name, folder, _ = services["model"]["command"]
    assert name == "${SIGHTLINE_MODEL:-clip-ViT-B-32}"
    assert "starter" not in COMPOSE.read_text()
    assert all(services[one]["environment"]["SIGHTLINE_MODEL"] == folder for one in OURS)
    assert ("model", "/models") in _mounts(services["model"])


def test_every_volume_is_declared_and_used(compose: Any, services: Any) -> None:
    named = {source for service in services.values() for source, _ in _mounts(service)}
    assert {VARIABLE.sub(r"\3", source) for source in named} == set(compose["volumes"])


def test_only_the_api_is_published_and_only_here(services: Any) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert list(published) == ["api"]
    (port,) = published["api"]
    assert port == "${SIGHTLINE_HOST:-127.0.0.1}:${SIGHTLINE_PORT:-8000}:8000"
    assert services["api"]["environment"]["SIGHTLINE_PORT"] == "8000"
    assert "EXPOSE 8000" in dockerfile("api")
    assert "'127.0.0.1', 8000" in dockerfile("api")
    assert (Settings().host, Settings().port) == ("127.0.0.1", 8000)


def test_redis_and_qdrant_are_on_the_internal_network_alone(compose: Any, services: Any) -> None:
    assert compose["networks"]["inner"] == {"internal": True}
    assert all(services[name]["networks"] == ["inner"] for name in THEIRS)


@pytest.mark.parametrize("secret", ["SIGHTLINE_API_KEY", "SIGHTLINE_QDRANT_API_KEY", "REDIS_PASSWORD"])
def test_secrets_are_required_wherever_they_are_used(secret: str) -> None:
    uses = [(how, said) for name, how, said in VARIABLE.findall(COMPOSE.read_text()) if name == secret]
    assert uses
    assert all(how == ":?" and "scripts/make-env" in said for how, said in uses)


def test_services_of_a_secret_agree_on_it(services: Any) -> None:
    environment = services["api"]["environment"]
    assert services["redis"]["environment"]["REDISCLI_AUTH"] in environment["SIGHTLINE_REDIS_URL"]
    key = services["qdrant"]["environment"]["QDRANT__SERVICE__API_KEY"]
    assert key == environment["SIGHTLINE_QDRANT_API_KEY"]


def test_every_container_is_confined(services: Any) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == ("no" if name == "model" else "unless-stopped"), name
        assert name == "model" or service["stop_grace_period"], name
        assert "container_name" not in service, f"{name} could not be scaled"


@pytest.mark.parametrize("service", DOCKERFILES)
def test_our_images_do_not_run_as_root(services: Any, service: str) -> None:
    instructions = stage(dockerfile(service), services[service]["build"].get("target", "api"))
    assert re.findall(r"^USER (\w+)", instructions, re.MULTILINE)[-1] == "sightline"


def test_their_images_are_pinned_and_do_not_run_as_root(services: Any) -> None:
    assert re.fullmatch(r"redis:\d+\.\d+\.\d+", services["redis"]["image"])
    assert services["redis"]["user"] == "redis"
    assert re.fullmatch(r"qdrant/qdrant:v1\.\d+\.\d+-unprivileged", services["qdrant"]["image"])


def test_qdrant_is_of_a_version_that_the_client_supports(services: Any) -> None:
    """The client supports servers of its own minor version and of its neighbours."""
    client = re.search(r"^qdrant-client==1\.(\d+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    server = re.search(r":v1\.(\d+)", services["qdrant"]["image"])
    assert client
    assert server
    assert abs(int(client[1]) - int(server[1])) <= 1


def test_everything_has_a_health_check_and_is_waited_for(services: Any) -> None:
    assert "HEALTHCHECK" in stage(dockerfile("api"), "api")
    assert "HEALTHCHECK" in stage(dockerfile("embedder"), "cpu")
    assert "HEALTHCHECK" in stage(dockerfile("embedder"), "gpu")
    assert all(services[name]["healthcheck"]["test"] for name in THEIRS)
    for name in OURS:
        waits = {other: how["condition"] for other, how in services[name]["depends_on"].items()}
        assert waits == {
            "model": "service_completed_successfully",
            "redis": "service_healthy",
            "qdrant": "service_healthy",
        }


def test_base_image_is_pinned_and_the_same_everywhere() -> None:
    texts = [dockerfile(service) for service in DOCKERFILES]
    (base,) = {one for text in texts for one in re.findall(r"^ARG BASE_IMAGE=(\S+)$", text, re.MULTILINE)}
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base)


def test_torch_is_only_where_it_is_needed() -> None:
    assert "torch" not in dockerfile("api")
    assert "torch" not in stage(dockerfile("embedder"), "build-cpu")
    assert "COPY --from=build-cpu" in stage(dockerfile("embedder"), "cpu")


def test_make_env_writes_secrets_once(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    command = ["sh", str(ROOT / "scripts" / "make-env"), str(file)]
    subprocess.run(command, check=True, capture_output=True)
    first = file.read_text()
    made = dict(re.findall(r"^(\w+)=([0-9a-f]{64})$", first, re.MULTILINE))
    assert set(made) == {"SIGHTLINE_API_KEY", "SIGHTLINE_QDRANT_API_KEY", "REDIS_PASSWORD"}
    assert len(set(made.values())) == 3
    assert file.stat().st_mode & 0o777 == 0o600
    again = subprocess.run(command, check=False, capture_output=True, text=True)
    assert again.returncode == 1
    assert "left alone" in again.stderr
    assert file.read_text() == first


def _mounts(service: Any) -> list[tuple[str, str]]:
    """(source, target) of each volume; a variable in the source has colons of its own."""
    split = [re.split(r":(?![^{]*\})", one, maxsplit=1) for one in service.get("volumes", [])]
    return [(source, target) for source, target in split]
