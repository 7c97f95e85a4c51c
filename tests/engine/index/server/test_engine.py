"""The server adapter where only it can fail: the network, foreign collections, the client itself."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, ClassVar
from uuid import uuid4

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException

from sightline.errors import BadRequest, CollectionNotFound, SightlineError, Unavailable
from sightline.index import CollectionSpec, SearchQuery
from sightline.index.server.engine import QdrantServer
from sightline.index.server.index import ServerIndex
from sightline.payload import indexed_fields

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")

SPEC = CollectionSpec("images", "space-a", 4, indexed_fields({}))
QUERY = SearchQuery(np.ones(4, np.float32), "space-a", 3)


@contextmanager
def serving(status: int | list[int], hold: Event | None = None) -> Iterator[str]:
    """A server that answers with one status, or with each in turn until the last; after `hold`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version: ClassVar[str] = "HTTP/1.1"

        def do_GET(self) -> None:
            if hold is not None:
                hold.wait(10)
            told = status if isinstance(status, int) else status.pop(0) if len(status) > 1 else status[0]
            body = b'{"status": "as told", "result": {"collections": []}}'
            self.send_response(told)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError):
                self.wfile.write(body)

        do_POST = do_PUT = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_name_whose_points_are_gone_is_dropped_and_made_anew() -> None:
    """A deletion that broke off between the points and their name."""
    client = QdrantClient(":memory:")
    index = ServerIndex(QdrantServer(client))
    index.ensure_collection(SPEC)
    held: Any = client._client
    held.collections.clear()
    assert [one.alias_name for one in client.get_aliases().aliases] == ["images"]
    index.drop_collection("images")
    with pytest.raises(CollectionNotFound):
        index.drop_collection("images")

    index.ensure_collection(SPEC)
    held.aliases["images"] = "images.gone"
    assert index.ensure_collection(SPEC).version == "images.1"


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (401, Unavailable, "SIGHTLINE_QDRANT_API_KEY"),
        (403, Unavailable, "SIGHTLINE_QDRANT_API_KEY"),
        (404, CollectionNotFound, "'images'"),
        (429, Unavailable, "429"),
        (500, Unavailable, "500"),
        (503, Unavailable, "503"),
    ],
)
def test_what_a_server_answers(status: int, error: type[SightlineError], says: str) -> None:
    with serving(status) as url:
        server = QdrantServer.at(url, api_key=None, timeout_s=2)
        with pytest.raises(error, match=says):
            server.points.count("images")
        server.close()


def test_a_server_that_fails_while_points_are_counted(qdrant_double_url: str) -> None:
    client = QdrantClient(url=qdrant_double_url, check_compatibility=False)
    index = ServerIndex(QdrantServer(client))
    spec = replace(SPEC, name=f"test-{uuid4().hex}")
    index.ensure_collection(spec)

    def time_out(request: Any, send: Any) -> Any:
        if request.url.path.endswith("/count"):
            raise ResponseHandlingException(httpx.ReadTimeout("timed out"))
        return send(request)

    client.http.client.add_middleware(time_out)
    for call in (lambda: index.collection(spec.name), index.collections, lambda: index.count(spec.name)):
        with pytest.raises(Unavailable, match="Qdrant does not answer: timed out"):
            call()
    index.drop_collection(spec.name)
    index.close()


def test_no_server() -> None:
    index = ServerIndex.at("http://127.0.0.1:1")
    for call in (index.ping, index.collections, lambda: index.search("images", QUERY)):
        with pytest.raises(Unavailable, match="Qdrant does not answer"):
            call()
    index.close()


def test_a_server_that_hangs() -> None:
    hold = Event()
    with serving(200, hold) as url:
        index = ServerIndex.at(url, timeout_s=1)
        with pytest.raises(Unavailable, match="timed out"):
            index.ping()
        hold.set()
        index.close()


def test_a_passing_failure_is_waited_out() -> None:
    statuses = [503, 429, 502, 200]
    with serving(statuses) as url:
        server = QdrantServer.at(url, api_key=None, timeout_s=2, patience_s=10)
        assert server.collections.names() == []
        server.close()
    assert statuses == [200]


def test_patience_ends() -> None:
    with serving(503) as url:
        server = QdrantServer.at(url, api_key=None, timeout_s=2, patience_s=0.3)
        with pytest.raises(Unavailable, match="503"):
            server.ping()
        server.close()


def test_a_collection_of_somebody_else_is_left_alone() -> None:
    client = QdrantClient(":memory:")
    client.create_collection("theirs", vectors_config={})
    index = ServerIndex(QdrantServer(client))
    index.ensure_collection(SPEC)
    assert [info.name for info in index.collections()] == ["images"]
    for call in (
        lambda: index.collection("theirs"),
        lambda: index.drop_collection("theirs"),
        lambda: index.search("theirs", QUERY),
        lambda: index.ensure_collection(CollectionSpec("theirs", "space-a", 4, {})),
    ):
        with pytest.raises(BadRequest, match="not made by Sightline"):
            call()
    assert client.collection_exists("theirs")
    index.close()


def test_losing_the_race_to_create_is_no_error() -> None:
    server = QdrantServer(QdrantClient(":memory:"))
    server.collections.create("images", "space-a", 4)
    server.collections.create("images", "space-b", 4)
    assert server.collections.describe("images", count=True).space == "space-a"
    server.close()


def test_a_write_notices_that_the_collection_was_made_anew() -> None:
    # Given two processes, one of which remembers the collection that the other replaces
    client = QdrantClient(":memory:")
    ours, theirs = (ServerIndex(QdrantServer(client)) for _ in range(2))
    ours.ensure_collection(SPEC)
    assert ours.count("images") == 0
    theirs.drop_collection("images")
    with pytest.raises(CollectionNotFound):
        ours.insert("images", [])
    theirs.ensure_collection(CollectionSpec("images", "space-b", 4, {}))
    ours.insert("images", [])
    with pytest.raises(SightlineError, match="space-b"):
        ours.search("images", QUERY)
    client.close()


def test_payload_indexes_are_asked_for_once() -> None:
    client = QdrantClient(":memory:")
    index = ServerIndex(QdrantServer(client))
    asked: list[str] = []
    create = client.create_payload_index

    def record(name: str, field: str, kind: models.PayloadSchemaType) -> models.UpdateResult:
        asked.append(f"{field}:{kind.value}")
        return create(name, field, kind)

    client.create_payload_index = record  # type: ignore[method-assign,assignment]
    index.ensure_collection(SPEC)
    index.ensure_collection(SPEC)
    assert sorted(asked) == sorted(f"{field}:{kind}" for field, kind in SPEC.fields.items())
    index.close()
