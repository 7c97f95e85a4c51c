from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from time import monotonic

import pytest
from huggingface_hub import constants

from sightline_embedder.models.hub import hub_has, is_cached, repository


class _Hub(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path.endswith("sentence-transformers/known") else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = HTTPServer(("127.0.0.1", 0), _Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()


def test_bare_names_are_those_of_sentence_transformers() -> None:
    assert repository("clip-ViT-B-32") == "sentence-transformers/clip-ViT-B-32"
    assert repository("google/siglip2-base-patch32-256") == "google/siglip2-base-patch32-256"


@pytest.mark.usefixtures("hub")
def test_asks_the_hub() -> None:
    assert hub_has("known")
    assert not hub_has("nobody/unknown")


@pytest.mark.usefixtures("hub")
def test_offline_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    assert not hub_has("known")


def test_hub_that_is_not_there_is_known_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    began = monotonic()

    assert not hub_has("known")
    assert monotonic() - began < 15


@pytest.mark.parametrize("name", ["nobody/no-such-model", "/no/such/folder", "./folder", ""])
def test_unknown_model_is_not_cached(name: str) -> None:
    assert not is_cached(name)


@pytest.mark.usefixtures("hub")
def test_path_is_no_name_of_the_hub() -> None:
    assert not hub_has("/some/folder/sentence-transformers/known")
