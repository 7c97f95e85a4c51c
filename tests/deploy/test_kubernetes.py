"""The manifests of deploy/kubernetes: valid by Kubernetes' schemas, confined, and in step with the settings.

KEDA's kinds are not among the schemas, so their fields are compared with those that its documentation
names. Where kubectl or kustomize is on the PATH, what it builds is validated too.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from sightline.encoder.artifact import MANIFEST
from sightline.queue.messages import Queue
from sightline.settings import Settings

ROOT = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
BASE, EXAMPLE = ROOT / "base", ROOT / "example"
VERSIONS = ("1.31", kubernetes_validate.latest_version())
KEDA_FIELDS = {
    "ScaledObject": {
        *("scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval", "cooldownPeriod"),
        "triggers",
    },
    "TriggerAuthentication": {"secretTargetRef"},
}
SENTINEL_TRIGGER = {"addresses", "sentinelMaster", "databaseIndex", "listName", "listLength"}


def documents(folder: Path) -> list[Any]:
    """All documents that a kustomization takes in, those of folders it names too."""
    found = []
    for name in kustomization(folder)["resources"]:
        path = folder / name
        found += documents(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    return found


def kustomization(folder: Path) -> Any:
    return yaml.safe_load((folder / "kustomization.yaml").read_text())


EVERYTHING = documents(EXAMPLE)
PODS = {
    f"{one['kind']}/{one['metadata']['name']}": one["spec"]["template"]
    for one in EVERYTHING
    if one["kind"] in ("Deployment", "Job")
}


def of_kind(kind: str) -> list[Any]:
    return [one for one in EVERYTHING if one["kind"] == kind]


def containers(template: Any) -> Iterator[Any]:
    yield from template["spec"]["containers"]
    yield from template["spec"].get("initContainers", ())


def given_settings(container: Any) -> dict[str, str]:
    """What the environment of a container says, where a secret is any text."""
    given: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            given |= variables(BASE / "settings.env") | variables(EXAMPLE / "settings.env")
        else:
            secrets = variables(EXAMPLE / "secrets.env.example")
            given |= {name: value or "a-secret-of-32-characters-or-more" for name, value in secrets.items()}
    return given | {one["name"]: one["value"] for one in container.get("env", ())}


def variables(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(version: str) -> None:
    ours = [one for one in EVERYTHING if not one["apiVersion"].startswith("keda.sh/")]
    assert len(ours) > 12
    for one in ours:
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("fault", ["replica: 2", "template: 3", "selector: {}"])
def test_the_validator_finds_faults(fault: str) -> None:
    broken = deepcopy(of_kind("Deployment")[0])
    broken["spec"] |= yaml.safe_load(fault)
    if fault == "selector: {}":
        del broken["spec"]["selector"]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


def test_every_file_is_part_of_it() -> None:
    for folder in (BASE, EXAMPLE):
        named = {folder / name for name in kustomization(folder)["resources"]}
        assert all(path.exists() for path in named)
        assert set(folder.glob("*.yaml")) - named <= {
            folder / "kustomization.yaml",
            folder / "qdrant-values.yaml",
        }
        for generator in kustomization(folder)["configMapGenerator"]:
            assert all((folder / file).exists() for file in generator["envs"])


@pytest.mark.skipif(
    not (shutil.which("kustomize") or shutil.which("kubectl")), reason="no kustomize or kubectl"
)
def test_kustomize_builds_what_is_valid(tmp_path: Path) -> None:
    shutil.copytree(ROOT, tmp_path / "kubernetes")
    example = tmp_path / "kubernetes" / "example"
    shutil.copy(example / "secrets.env.example", example / "secrets.env")
    command = ["kustomize", "build"] if shutil.which("kustomize") else ["kubectl", "kustomize"]
    built = subprocess.run([*command, str(example)], capture_output=True, text=True, check=True)
    made = list(yaml.safe_load_all(built.stdout))
    assert len(made) == len(EVERYTHING) + 2
    for one in made:
        if not one["apiVersion"].startswith("keda.sh/"):
            kubernetes_validate.validate(one, VERSIONS[-1], strict=True)
            assert one["kind"] == "Namespace" or one["metadata"]["namespace"] == "sightline"
        if one["kind"] in ("Deployment", "Job"):
            assert one["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] == "sightline"
    assert "image: sightline-" not in built.stdout


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_confined(name: str) -> None:
    spec = PODS[name]["spec"]
    assert spec["automountServiceAccountToken"] is False
    pod = spec["securityContext"]
    assert (pod["runAsNonRoot"], pod["runAsUser"], pod["seccompProfile"]) == (
        True,
        10001,
        {"type": "RuntimeDefault"},
    )
    for container in containers(PODS[name]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", PODS)
def test_settings_are_known_and_valid(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for container in containers(PODS[name]):
        given = given_settings(container)
        ours = {one.removeprefix("SIGHTLINE_").lower() for one in given if one.startswith("SIGHTLINE_")}
        assert ours <= set(Settings.model_fields)
    for variable, value in given_settings(PODS[name]["spec"]["containers"][0]).items():
        monkeypatch.setenv(variable, value)
    settings = Settings()
    if name != "Job/sightline-model":
        assert settings.media_url
        assert settings.qdrant_replication_factor == 2


def test_model_is_where_the_pods_look() -> None:
    (job,) = PODS["Job/sightline-model"]["spec"]["containers"]
    model = variables(BASE / "settings.env")["SIGHTLINE_MODEL"]
    assert job["args"] == [model.rpartition("/")[2], model]
    for name, template in PODS.items():
        mounts = {one["name"]: one for one in template["spec"]["containers"][0]["volumeMounts"]}
        assert mounts["model"]["mountPath"] == "/models"
        assert mounts["model"].get("readOnly", False) is (name != "Job/sightline-model")
        for waiting in template["spec"].get("initContainers", ()):
            assert f'"$SIGHTLINE_MODEL/{MANIFEST}"' in waiting["command"][-1]


def test_what_is_written_is_on_a_volume() -> None:
    for name, template in PODS.items():
        volumes = {one["name"]: one for one in template["spec"]["volumes"]}
        mounted = {one["mountPath"]: one["name"] for one in template["spec"]["containers"][0]["volumeMounts"]}
        assert set(mounted.values()) == set(volumes), name
        assert "emptyDir" in volumes[mounted["/tmp"]]


def test_probes_ask_what_they_are_for() -> None:
    (api,) = PODS["Deployment/sightline-api"]["spec"]["containers"]
    paths = {
        probe: api[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    for probe in paths:
        # The address of a pod is none of SIGHTLINE_ALLOWED_HOSTS.
        assert api[probe]["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "localhost"}]
    (embedder,) = PODS["Deployment/sightline-embedder"]["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe"):
        assert embedder[probe]["exec"]["command"] == ["python", "-m", "sightline_embedder.health"]
    assert given_settings(embedder)["SIGHTLINE_HEARTBEAT_FILE"] == "/tmp/heartbeat"


def test_selectors_find_their_pods() -> None:
    labels = {
        name: template["metadata"]["labels"]["app.kubernetes.io/component"] for name, template in PODS.items()
    }
    for one in of_kind("Deployment"):
        component = labels[f"Deployment/{one['metadata']['name']}"]
        assert one["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/component": component}
    (service,) = of_kind("Service")
    assert service["spec"]["selector"]["app.kubernetes.io/component"] == "api"
    ports = {
        port["name"]
        for template in PODS.values()
        for port in template["spec"]["containers"][0].get("ports", ())
    }
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    budgets = {
        one["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
        for one in of_kind("PodDisruptionBudget")
    }
    assert budgets == {"api", "embedder"}
    (ingress,) = of_kind("Ingress")
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": service["metadata"]["name"], "port": {"name": "http"}}
    (autoscaler,) = of_kind("HorizontalPodAutoscaler")
    assert autoscaler["spec"]["scaleTargetRef"]["name"] == "sightline-api"


def test_networks_are_closed_but_for_what_is_needed() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind("NetworkPolicy")}
    assert "ingress" not in policies["sightline-nothing-else"]
    assert "egress" not in policies["sightline-nothing-else"]
    assert policies["sightline-nothing-else"]["policyTypes"] == ["Ingress", "Egress"]
    reached = {port["port"] for rule in policies["sightline-services"]["egress"] for port in rule["ports"]}
    assert reached == {53, 443, 6333, 6379, 26379}


def test_the_policy_that_closes_networks_selects_every_pod() -> None:
    given = [
        one["pairs"]
        for folder in (BASE, EXAMPLE)
        for one in kustomization(folder).get("labels", ())
        if one.get("includeTemplates")
    ]
    (closed,) = [
        one for one in of_kind("NetworkPolicy") if one["metadata"]["name"] == "sightline-nothing-else"
    ]
    for name, template in PODS.items():
        labels = dict(template["metadata"]["labels"])
        for pairs in given:
            labels |= pairs
        assert closed["spec"]["podSelector"]["matchLabels"].items() <= labels.items(), name


def test_embedders_scale_by_the_queues_that_they_take_from() -> None:
    (scaled,) = of_kind("ScaledObject")
    (login,) = of_kind("TriggerAuthentication")
    for one in (scaled, login):
        assert one["apiVersion"] == "keda.sh/v1alpha1"
        assert set(one["spec"]) <= KEDA_FIELDS[one["kind"]]
    assert scaled["spec"]["scaleTargetRef"] == {"name": "sightline-embedder"}
    triggers = scaled["spec"]["triggers"]
    assert {one["type"] for one in triggers} == {"redis-sentinel"}
    assert {one["metadata"]["listName"] for one in triggers} == {queue.value for queue in Queue}
    secrets = variables(EXAMPLE / "secrets.env.example")
    url = secrets["SIGHTLINE_REDIS_URL"]
    for one in triggers:
        assert set(one["metadata"]) == SENTINEL_TRIGGER
        assert all(isinstance(value, str) for value in one["metadata"].values())
        assert f"@{one['metadata']['addresses']}/{one['metadata']['sentinelMaster']}/" in url
        assert one["authenticationRef"]["name"] == login["metadata"]["name"]
    (secret,) = kustomization(EXAMPLE)["secretGenerator"]
    for reference in login["spec"]["secretTargetRef"]:
        assert (reference["name"], secret["options"]) == (secret["name"], {"disableNameSuffixHash": True})
        assert reference["key"] in secrets


def test_no_secret_is_in_the_repository() -> None:
    assert not (EXAMPLE / "secrets.env").exists()
    for name, value in variables(EXAMPLE / "secrets.env.example").items():
        assert not value or "PASSWORD@" in value, name
    ignored = (ROOT.parents[1] / ".gitignore").read_text().splitlines()
    assert "secrets.env" in ignored


def test_uploads_that_come_in_at_once_fit_the_disk_they_wait_on() -> None:
    settings = variables(BASE / "settings.env")
    at_once = int(settings["SIGHTLINE_UPLOAD_CONCURRENCY"]) * int(settings["SIGHTLINE_MAX_UPLOAD_BYTES"])
    (disk,) = [one for one in PODS["Deployment/sightline-api"]["spec"]["volumes"] if one["name"] == "data"]
    assert at_once < int(disk["emptyDir"]["sizeLimit"].removesuffix("Gi")) << 30


def test_qdrant_has_the_key_and_the_name_that_sightline_uses() -> None:
    values = yaml.safe_load((EXAMPLE / "qdrant-values.yaml").read_text())
    settings = variables(BASE / "settings.env")
    assert values["replicaCount"] >= int(settings["SIGHTLINE_QDRANT_REPLICATION_FACTOR"])
    assert values["config"]["cluster"] == {"enabled": True}
    secret = values["apiKey"]["valueFrom"]["secretKeyRef"]
    assert secret["key"] in variables(EXAMPLE / "secrets.env.example")
    install = re.search(r"helm install (\S+) qdrant/qdrant", (EXAMPLE / "qdrant-values.yaml").read_text())
    assert install
    assert settings["SIGHTLINE_QDRANT_URL"] == f"http://{install[1]}:6333"
