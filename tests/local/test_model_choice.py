"""Which model a stack runs: what was asked for, what is there, or `starter` with a word about it."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from sightline_embedder.models.catalog import CATALOG, STARTER, CatalogEntry
from sightline_local.errors import StartError
from sightline_local.model_choice import decide


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hub that refuses at once and an empty cache: what a machine without network has."""
    monkeypatch.setattr("sightline_embedder.models.hub.constants.ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path / "hub"), raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def test_falls_back_to_starter_within_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    decision = decide(None, tmp_path)

    assert decision.source == "starter"
    assert decision.may_fall_back
    assert time.monotonic() - started < 30


def test_artifact_in_the_data_folder_is_kept(tmp_path: Path, starter_artifact: Path) -> None:
    shutil.copytree(starter_artifact, tmp_path / "starter")

    decision = decide(None, tmp_path)

    assert decision.artifact is not None
    assert decision.artifact.path == tmp_path / "starter"
    assert not decision.may_fall_back


def test_broken_artifact_is_not_kept(tmp_path: Path, starter_artifact: Path) -> None:
    shutil.copytree(starter_artifact, tmp_path / "starter")
    (tmp_path / "starter" / "image.bin").write_bytes(b"short")

    assert decide(None, tmp_path).artifact is None


def test_named_artifact_folder_is_taken(tmp_path: Path, starter_artifact: Path) -> None:
    decision = decide(str(starter_artifact), tmp_path)

    assert decision.artifact is not None
    assert decision.artifact.manifest.name == "starter"


def test_folder_of_a_model_is_built(tmp_path: Path) -> None:
    (tmp_path / "my-clip").mkdir()

    decision = decide(str(tmp_path / "my-clip"), tmp_path / "models")

    assert decision.artifact is None
    assert decision.source == str(tmp_path / "my-clip")


def test_name_that_nobody_has_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="neither a folder here nor in the local cache"):
        decide("no-such-model", tmp_path)


@contextmanager
def hub_of(monkeypatch: pytest.MonkeyPatch, *repositories: str) -> Iterator[None]:
    """A hub that has these models and no other."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            has = self.path.removeprefix("/api/models/") in repositories
            self.send_response(200 if has else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr("sightline_embedder.models.hub.constants.ENDPOINT", url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield
        server.shutdown()


@pytest.mark.parametrize("entry", [one for one in CATALOG if one.name != STARTER], ids=lambda one: one.name)
def test_every_model_known_by_name_is_taken_from_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: CatalogEntry
) -> None:
    sources = [source for source in (entry.source, entry.text_source) if source is not None]

    with hub_of(monkeypatch, *sources):
        assert decide(entry.name, tmp_path).source == entry.name
    for number in range(len(sources)):
        with (
            hub_of(monkeypatch, *sources[:number], *sources[number + 1 :]),
            pytest.raises(StartError, match="neither a folder here nor in the local cache"),
        ):
            decide(entry.name, tmp_path)
