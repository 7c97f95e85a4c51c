"""Snapshots of a collection that may be dropped while one is taken, onto a disk that may be full."""

import errno
import json
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from answering_server import answering

from sightline.errors import BackupError, Unavailable
from sightline.index.server.snapshots import QdrantSnapshots

COLLECTION = "/collections/images"
SNAPSHOT = bytes(range(256)) * (3 << 12)


class Qdrant:
    """A server of one collection, which is dropped as a call comes; what it refuses it has no snapshot of."""

    def __init__(self) -> None:
        self.dropped_at: str | None = None
        self.refused: str | None = None
        self.calls: list[str] = []
        self._is_there = True
        qdrant = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                qdrant._answer(self)

            def do_POST(self) -> None:
                qdrant._answer(self)

            def do_DELETE(self) -> None:
                qdrant._answer(self)

            def handle(self) -> None:
                with suppress(OSError):  # a client whose disk is full goes away
                    super().handle()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        call = f"{handler.command} {path.removeprefix(COLLECTION)}"
        self.calls.append(call)
        self._is_there = self._is_there and call != self.dropped_at
        if not self._is_there or call == self.refused:
            status, body = 404, b"{}"
        elif call == "GET /snapshots/one":
            status, body = 200, SNAPSHOT
        else:
            status, body = 200, json.dumps({"result": {"name": "one"}}).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def qdrant() -> Iterator[Qdrant]:
    made = Qdrant()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def snapshots(qdrant: Qdrant) -> QdrantSnapshots:
    return QdrantSnapshots(qdrant.url, None)


def test_a_snapshot_is_fetched_and_deleted_there(
    qdrant: Qdrant, snapshots: QdrantSnapshots, tmp_path: Path
) -> None:
    assert snapshots.take("images", tmp_path / "images")
    assert (tmp_path / "images").read_bytes() == SNAPSHOT
    assert qdrant.calls == ["POST /snapshots", "GET /snapshots/one", "DELETE /snapshots/one"]


@pytest.mark.parametrize("call", ["POST /snapshots", "GET /snapshots/one", "DELETE /snapshots/one"])
def test_a_collection_that_is_dropped_meanwhile_leaves_no_file(
    qdrant: Qdrant, snapshots: QdrantSnapshots, tmp_path: Path, call: str
) -> None:
    qdrant.dropped_at = call
    assert not snapshots.take("images", tmp_path / "images")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["POST /snapshots", "GET /snapshots/one"])
def test_what_is_missing_of_a_collection_that_is_there_is_a_fault(
    qdrant: Qdrant, snapshots: QdrantSnapshots, tmp_path: Path, call: str
) -> None:
    qdrant.refused = call
    with pytest.raises(BackupError, match="404"):
        snapshots.take("images", tmp_path / "images")


def test_a_full_disk_leaves_no_snapshot_on_the_server(
    qdrant: Qdrant, snapshots: QdrantSnapshots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda *_: Full())
    with pytest.raises(OSError, match="No space left"):
        snapshots.take("images", tmp_path / "images")
    assert qdrant.calls[-1] == "DELETE /snapshots/one"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"hello": "world"}'])
def test_what_is_no_qdrant_does_not_answer_as_one(body: bytes) -> None:
    with answering(body) as url, pytest.raises(Unavailable, match=f"something else answers at {url}"):
        QdrantSnapshots(url, None).aliases()
