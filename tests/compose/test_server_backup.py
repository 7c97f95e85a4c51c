"""A backup of a Sightline on servers, as the containers take it, and what is there after restoring it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import compose_backends as backends
import numpy as np
import pytest
from redis.exceptions import RedisError

from sightline.identity import point_id, sha256_of
from sightline.index import CollectionSpec, Point, SearchQuery
from sightline.index.server.index import ServerIndex
from sightline.media import FolderMediaStore
from sightline.media_choice import open_media
from sightline.payload import INDEXED_FIELDS
from sightline.queue.connection import connect_redis
from sightline.queue.jobs import JobRequest
from sightline.queue.keys import KeyStore, KeyTerms, Scope
from sightline.queue.ledger import Ledger
from sightline.queue.sources import PictureRef, RecordedSource, SourceKind
from sightline.settings import Precision, Quantization, Settings
from sightline_local.data_folder import open_data_folder
from sightline_local.index_process import index_process
from sightline_local.moving import move

SPACE = "model@0123456789abcdef"
POINTS = 40


@dataclass
class Servers:
    """A Qdrant double, a Redis and a data folder."""

    folder: Path
    qdrant: Any
    redis: Any

    @property
    def index(self) -> ServerIndex:
        return ServerIndex.at(self.qdrant.url, api_key=self.qdrant.key, patience_s=30)

    @property
    def media(self) -> FolderMediaStore:
        return FolderMediaStore(self.folder / "data" / "media")

    @property
    def ledger(self) -> Ledger:
        return Ledger(connect_redis(self.redis.url), timedelta(days=1))

    def backup(self, what: str, folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
        environment = {
            "SIGHTLINE_QDRANT_URL": self.qdrant.url,
            "SIGHTLINE_QDRANT_API_KEY": self.qdrant.key,
            "SIGHTLINE_REDIS_URL": self.redis.url,
            "SIGHTLINE_DATA_DIR": str(self.folder / "data"),
        }
        command = [sys.executable, "-m", "sightline.backup", what, str(folder)]
        return subprocess.run(
            command,
            env={**os.environ, **environment, **settings},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Servers]]:
    """Two of them, the second one empty."""
    with ExitStack() as stack:
        made = []
        for name in ("first", "second"):
            folder = tmp_path / name
            folder.mkdir()
            one = Servers(
                folder, backends.double_process(folder, stack), backends.redis_process(folder, stack)
            )
            one.qdrant.start()
            one.redis.start()
            one.qdrant.calls()
            _await_redis(one)
            made.append(one)
        yield made


def _await_redis(servers: Servers) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            connect_redis(servers.redis.url).ping()
            return
        except RedisError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_what_was_backed_up_is_there_again(servers: list[Servers], tmp_path: Path, make_payload: Any) -> None:
    first, second = servers
    chance = np.random.default_rng(2)
    points = []
    for number in range(POINTS):
        sha256 = f"{number:064x}"
        vector = chance.normal(size=16)
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        points.append(
            Point(point_id(sha256), unit, make_payload(sha256=sha256, space=SPACE, tags=(f"t{number}",)))
        )
    spec = CollectionSpec("images", SPACE, 16, INDEXED_FIELDS)
    first.index.ensure_collection(spec)
    first.index.insert("images", points)
    original = b"an upload"
    first.media.put_original("images", sha256_of(original), original)
    ref = PictureRef(kind=SourceKind.UPLOAD, uri="upload:a", sha256=sha256_of(original))
    job = first.ledger.create(JobRequest(collection="images", source=RecordedSource(kind="upload")), [ref])
    terms = KeyTerms(name="admin", scope=Scope.ADMIN)
    key, _ = KeyStore(connect_redis(first.redis.url)).make(terms, first_is_admin=True)

    taken = first.backup("take", tmp_path / "backup")
    assert taken.returncode == 0, taken.stderr
    assert first.backup("take", tmp_path / "backup").returncode == 2
    restored = second.backup("restore", tmp_path / "backup")
    assert restored.returncode == 0, restored.stderr

    stored = [index.scroll("images", after=None, limit=100) for index in (first.index, second.index)]
    assert [one.payload for one in stored[0]] == [one.payload for one in stored[1]]
    assert second.index.collection("images") == first.index.collection("images")
    for point in points[:5]:
        query = SearchQuery(vector=point.vector, space=SPACE, limit=10)
        hits = [[(hit.id, hit.score) for hit in one.index.search("images", query)] for one in servers]
        assert hits[0] == hits[1]
    assert second.ledger.job(job.id) == job
    assert second.ledger.refs(job.id, 0, 5) == [ref]
    assert KeyStore(connect_redis(second.redis.url)).all() == {key.id: key}
    assert second.media.read_original("images", sha256_of(original)) == original
    again = second.backup("restore", tmp_path / "backup")
    assert again.returncode == 2
    assert "empty one" in again.stderr


def test_a_collection_moves_as_what_it_was_made_with(servers: list[Servers], tmp_path: Path) -> None:
    first, _ = servers
    spec = CollectionSpec("images", SPACE, 16, INDEXED_FIELDS, Quantization.INT8, Precision.F32)
    with (
        open_data_folder(tmp_path / "embedded") as there,
        index_process(there.index, there.index_socket, {}) as (_, index),
    ):
        index.ensure_collection(spec)
    settings = Settings(
        qdrant_url=first.qdrant.url, qdrant_api_key=first.qdrant.key, data_dir=first.folder / "data"
    )
    move(tmp_path / "embedded", settings, lambda *_: None)
    moved = first.index.collection("images")
    assert (moved.quantization, moved.precision) == (Quantization.INT8, Precision.F32)


def test_originals_in_a_bucket_stay_there(servers: list[Servers], tmp_path: Path, s3: Any) -> None:
    first, second = servers
    first.index.ensure_collection(CollectionSpec("images", SPACE, 16, INDEXED_FIELDS))
    bucket = {"SIGHTLINE_MEDIA_URL": "s3://media/kept"}

    taken = first.backup("take", tmp_path / "backup", **bucket)
    assert taken.returncode == 0, taken.stderr
    assert not (tmp_path / "backup" / "media").exists()
    restored = second.backup("restore", tmp_path / "backup")
    assert restored.returncode == 2
    assert "are in s3://media/kept" in restored.stderr
    restored = second.backup("restore", tmp_path / "backup", **bucket)
    assert restored.returncode == 0, restored.stderr
    assert [one.name for one in second.index.collections()] == ["images"]


def test_originals_in_a_folder_move_into_a_bucket(servers: list[Servers], tmp_path: Path, s3: Any) -> None:
    first, second = servers
    s3.fill("media", {})
    originals = {sha256_of(data): data for data in (b"one", b"another")}
    for sha256, data in originals.items():
        first.media.put_original("images", sha256, data)
        first.media.put_thumbnail("images", point_id(sha256), data[:1])
    first.index.ensure_collection(CollectionSpec("images", SPACE, 16, INDEXED_FIELDS))
    taken = first.backup("take", tmp_path / "backup")
    assert taken.returncode == 0, taken.stderr

    restored = second.backup("restore", tmp_path / "backup", SIGHTLINE_MEDIA_URL="s3://media/moved")
    assert restored.returncode == 0, restored.stderr
    bucket = open_media(Settings(media_url="s3://media/moved", data_dir=tmp_path))
    for sha256, data in originals.items():
        assert bucket.read_original("images", sha256) == data
        assert bucket.read_thumbnail("images", point_id(sha256)) == data[:1]


def test_a_node_of_a_cluster_is_not_taken_for_the_whole(servers: list[Servers], tmp_path: Path) -> None:
    first, second = servers
    first.index.ensure_collection(CollectionSpec("images", SPACE, 16, INDEXED_FIELDS))
    assert first.backup("take", tmp_path / "whole").returncode == 0
    for one in servers:
        one.qdrant.misbehave(peers=3)

    taken = first.backup("take", tmp_path / "part")
    restored = second.backup("restore", tmp_path / "whole")

    for told in (taken, restored):
        assert told.returncode == 2
        assert "is one of 3 nodes" in told.stderr
    assert not (tmp_path / "part").exists()
    assert second.index.collections() == []


def test_a_backup_that_broke_off_is_none(servers: list[Servers], tmp_path: Path) -> None:
    first, second = servers
    first.index.ensure_collection(CollectionSpec("images", SPACE, 16, INDEXED_FIELDS))
    first.qdrant.misbehave(failing=1.0)
    taken = first.backup("take", tmp_path / "backup")
    assert taken.returncode == 2, taken.stdout
    assert not (tmp_path / "backup").exists()
    restored = second.backup("restore", tmp_path / "backup")
    assert restored.returncode == 2
    assert "no backup" in restored.stderr
