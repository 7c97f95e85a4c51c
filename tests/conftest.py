"""Fixtures that every part of the suite may use."""

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_CACHE = _ROOT / ".cache" / "models"
_BUILDER = (
    *sorted((_ROOT / "services/embedder/sightline_embedder/models").glob("*.py")),
    *sorted((_ROOT / "services/engine/sightline/encoder").glob("*.py")),
)
_LIBRARIES = ("openvino", "torch", "transformers", "sentence-transformers", "tokenizers", "pillow")


@pytest.fixture(scope="session")
def cached_artifact() -> Callable[[str, str], Path]:
    """`cached_artifact(name_or_folder, cache_name)`: the path of that model's artifact, built when it is
    missing or the code or libraries that build it have changed. Safe to use from several processes."""
    return _cached_artifact


@pytest.fixture(scope="session")
def starter_artifact() -> Path:
    """The folder of the `starter` artifact."""
    return _cached_artifact("starter", "starter")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis for this session, started as an embedded stack starts its own."""
    from sightline_local.data_folder import open_data_folder
    from sightline_local.redis_child import RedisChild

    with open_data_folder(tmp_path_factory.mktemp("redis")) as folder:
        child = RedisChild(folder)
        child.ensure()
        yield child.url
        child.stop()


def _cached_artifact(name_or_folder: str, cache_name: str) -> Path:
    _CACHE.mkdir(parents=True, exist_ok=True)
    out = _CACHE / cache_name
    key_file = _CACHE / f"{cache_name}.key"
    key = _builder_key()
    with (_CACHE / f"{cache_name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "manifest.json").exists() or not key_file.exists() or key_file.read_text() != key:
            from sightline_embedder.models.build import build_artifact

            build_artifact(name_or_folder, out)
            key_file.write_text(key)
    return out


def _builder_key() -> str:
    digest = hashlib.sha256()
    for source in _BUILDER:
        digest.update(source.read_bytes())
    for library in _LIBRARIES:
        digest.update(f"{library}=={version(library)}".encode())
    return digest.hexdigest()
