"""The whole OpenAPI document, attacked: whatever comes, the answer is one that the document describes.

schemathesis sends requests that fit the document and requests that do not, chains of them too, and checks
every answer: no 5xx, no status, type or body that is not described, none after more than five seconds.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from example_picture import example_bytes, example_point

from sightline.encoder.artifact import open_artifact
from sightline.errors import CollectionNotFound
from sightline.index import CollectionSpec
from sightline.index.edge.client import EdgeClient
from sightline.media import FolderMediaStore
from sightline.payload import INDEXED_FIELDS
from sightline.settings import Settings
from sightline_api.http.example_values import IMAGE_ID, IMAGE_SHA256

KEY = "0123456789abcdefghij"
CONFIG = Path(__file__).parent / "schemathesis.toml"
SEED = "20261124"
MOST_S = "5"


@pytest.fixture(scope="module")
def attack(serve: Any, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`attack(arguments)`: how many requests schemathesis sent to a gateway that wants a key."""

    def attack(*arguments: str) -> int:
        folder = tmp_path_factory.mktemp("attacked")
        with (
            serve(folder, api_key=KEY, max_active_jobs=100_000) as served,
            picture_brought_in(settings, served.media),
        ):
            command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
            command += [f"http://127.0.0.1:{served.port}/openapi.json", "--checks", "all", "--seed", SEED]
            command += ["--max-response-time", MOST_S, "--no-color", "--generation-database", "none"]
            done = subprocess.run(
                [*command, *arguments],
                cwd=folder,
                env={**os.environ, "PYTHONIOENCODING": "utf-8"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout[-100_000:] + done.stderr[-2_000:]
            assert served.api.get("/healthz").status_code == 200
        sent = re.search(r"(\d+) generated", done.stdout)
        assert sent, done.stdout[-2_000:]
        return int(sent[1])

    return attack


@contextmanager
def picture_brought_in(settings: Settings, media: Path) -> Iterator[None]:
    """The picture of the examples is there, however often it is deleted: else all is about what is not."""
    assert settings.index_socket is not None
    assert settings.model is not None
    manifest, ended = open_artifact(Path(settings.model)).manifest, Event()
    vector = np.eye(1, manifest.dimension, dtype=np.float32)[0]
    point = example_point(manifest, "made up", vector)
    spec = CollectionSpec(settings.collection, manifest.space, manifest.dimension, INDEXED_FIELDS)
    store = FolderMediaStore(media)

    def bring_in() -> None:
        with closing(EdgeClient(settings.index_socket)) as index:
            while not ended.wait(0.5):
                with suppress(CollectionNotFound):
                    index.ensure_collection(spec)
                    index.insert(settings.collection, [point])
                store.put_original(settings.collection, IMAGE_SHA256, example_bytes())
                store.put_thumbnail(settings.collection, IMAGE_ID, b"small")

    keeper = Thread(target=bring_in)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()


def test_a_caller_with_the_key(attack: Any) -> None:
    authorization = f"Authorization: Bearer {KEY}"
    assert attack("--phases", "examples,fuzzing", "--max-examples", "2", "-H", authorization) > 100


def test_a_caller_without_a_key(attack: Any) -> None:
    assert attack("--phases", "examples,fuzzing", "--max-examples", "1") > 30


@pytest.mark.long
def test_twenty_thousand_requests(attack: Any) -> None:
    authorization = f"Authorization: Bearer {KEY}"
    with_key = attack("--max-examples", "150", "-H", authorization)
    without = attack("--max-examples", "50")
    assert with_key + without >= 20_000, f"{with_key:,} requests with a key and {without:,} without"
