"""A cluster of Qdrant: how collections are placed, what reads and writes ask for, and nodes that are gone."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pytest
import structlog

from sightline.errors import Unavailable
from sightline.index import CollectionSpec, Point, SearchQuery
from sightline.index.placement import Cluster, Placement
from sightline.index.server.index import ServerIndex
from sightline.index.server.nodes import CONNECT_S, Nodes
from sightline.settings import ReadConsistency

DOUBLE = Path(__file__).resolve().parents[3] / "compose" / "qdrant_double.py"
SPEC = CollectionSpec("images", "space-a", 16, {})
PLACED = Placement(shards=6, replication_factor=2, write_consistency_factor=2, read_fan_out_factor=1)


@dataclass
class Node:
    """A double of Qdrant in a process of its own."""

    url: str
    process: "subprocess.Popen[bytes]"

    def told(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(method, f"{self.url}/_double/{path}", json=body, timeout=10)
        return answer.raise_for_status().json()

    def asked(self) -> dict[str, int]:
        return dict(self.told("GET", "calls")["asked"])


@pytest.fixture
def start_node(fast_folder: Path) -> Iterator[Callable[[], Node]]:
    with ExitStack() as stack:

        def start() -> Node:
            port = _free_port()
            command = [sys.executable, str(DOUBLE), "--folder", str(fast_folder / uuid4().hex[:8])]
            process = stack.enter_context(subprocess.Popen([*command, "--port", str(port)]))
            stack.callback(process.kill)
            node = Node(f"http://127.0.0.1:{port}", process)
            _await_answer(node)
            return node

        yield start


@pytest.fixture
def node(start_node: Callable[[], Node]) -> Node:
    return start_node()


@pytest.fixture
def lost_url() -> Iterator[Callable[[], str]]:
    """Addresses at which no attempt to connect is answered: somebody listens, whose backlog is full."""
    with ExitStack() as stack:

        def make() -> str:
            listening = stack.enter_context(socket.socket())
            listening.bind(("127.0.0.1", 0))
            listening.listen(0)
            waiting = stack.enter_context(socket.socket())
            waiting.connect(listening.getsockname())
            return f"http://127.0.0.1:{listening.getsockname()[1]}"

        yield make


@pytest.fixture
def open_index() -> Iterator[Callable[..., ServerIndex]]:
    with ExitStack() as stack:

        def make(*urls: str, key: str | None = None, **options: Any) -> ServerIndex:
            placement, read = options.pop("placement", Placement()), options.pop("read_consistency", None)
            index = ServerIndex.at(
                urls[0], api_key=key, more_urls=urls[1:], cluster=Cluster(placement, read), **options
            )
            stack.callback(index.close)
            return index

        yield make


def test_a_new_collection_is_placed_as_the_settings_say(
    node: Node, open_index: Callable[..., ServerIndex]
) -> None:
    index = open_index(node.url, placement=PLACED)

    info = index.ensure_collection(SPEC)

    assert info.placement == PLACED
    assert info.placement_note is None
    assert [one.placement for one in index.collections()] == [PLACED]


def test_a_real_server_keeps_the_placement(open_index: Callable[..., ServerIndex]) -> None:
    url, key = (os.environ.get(f"SIGHTLINE_TEST_QDRANT_{name}") for name in ("URL", "API_KEY"))
    if not url:
        pytest.skip("SIGHTLINE_TEST_QDRANT_URL names no Qdrant server")
    index = open_index(url, key=key, placement=PLACED, read_consistency="majority")
    spec = CollectionSpec(f"test-{uuid4().hex}", "space-a", 16, {})
    try:
        assert index.ensure_collection(spec).placement == PLACED
        assert index.sample(spec.name, 1).shape == (0, 16)
    finally:
        index.drop_collection(spec.name)


def test_a_collection_that_is_placed_otherwise_is_noted_once(
    node: Node, open_index: Callable[..., ServerIndex]
) -> None:
    open_index(node.url, placement=Placement(shards=2)).ensure_collection(SPEC)
    index = open_index(node.url, placement=PLACED)

    with structlog.testing.capture_logs() as logs:
        info = index.ensure_collection(SPEC)
        index.ensure_collection(SPEC)

    said = "shards 2, not 6; replication_factor 1, not 2; write_consistency_factor 1, not 2"
    assert info.placement_note is not None
    assert said in info.placement_note
    assert index.collection("images").placement_note == info.placement_note
    (line,) = [line for line in logs if line["event"] == "collection_placed_otherwise"]
    assert (line["collection"], line["log_level"]) == ("images", "warning")
    # What a word changes is changed.
    assert info.placement == Placement(2, 1, 1, read_fan_out_factor=1)


def test_what_is_not_set_is_not_compared(node: Node, open_index: Callable[..., ServerIndex]) -> None:
    open_index(node.url, placement=PLACED).ensure_collection(SPEC)
    info = open_index(node.url).ensure_collection(SPEC)
    assert (info.placement, info.placement_note) == (PLACED, None)


@pytest.mark.parametrize("consistency", ["majority", "quorum", "all", 2])
def test_reads_ask_for_the_consistency_that_is_set(
    node: Node,
    open_index: Callable[..., ServerIndex],
    make_point: Callable[..., Point],
    consistency: ReadConsistency,
) -> None:
    index = open_index(node.url, placement=PLACED, read_consistency=consistency)
    _read_everything(index, make_point)

    reads = {name for name, count in node.asked().items() if f"consistency={consistency}" in name and count}
    assert {name.split()[1].removeprefix("/collections/{name}") for name in reads} == {
        "/points",
        "/points/query",
        "/points/query/batch",
        "/points/scroll",
    }


def test_writes_to_replicas_are_put_in_one_order(
    node: Node, open_index: Callable[..., ServerIndex], make_point: Callable[..., Point]
) -> None:
    _write_everything(open_index(node.url), make_point)
    assert not node.asked()

    _write_everything(open_index(node.url, placement=PLACED), make_point)
    assert {name.split()[1].removeprefix("/collections/{name}") for name in node.asked()} == {
        "/points",
        "/points/batch",
        "/points/delete",
    }
    assert all("ordering=medium" in name for name in node.asked())


def test_a_node_that_is_gone_is_passed_over(
    start_node: Callable[[], Node], open_index: Callable[..., ServerIndex], make_point: Callable[..., Point]
) -> None:
    nodes = [start_node(), start_node()]
    for node in nodes:
        _write_everything(open_index(node.url), make_point)
    index = open_index(*(node.url for node in nodes))
    assert index.count("images") == 2

    nodes[0].process.kill()
    nodes[0].process.wait()
    for _ in range(20):
        assert index.count("images") == 2
        assert len(index.search("images", SearchQuery(np.ones(16, np.float32), "space-a", 3))) == 2
        index.insert("images", [make_point(1)])

    nodes[1].process.kill()
    nodes[1].process.wait()
    with pytest.raises(Unavailable, match="Qdrant does not answer"):
        index.count("images")


def test_a_node_that_hangs_costs_one_wait(
    start_node: Callable[[], Node], open_index: Callable[..., ServerIndex]
) -> None:
    nodes = [start_node(), start_node()]
    index = open_index(*(node.url for node in nodes), timeout_s=2)
    slow = {node.url: node.told("PUT", "faults", {"slow_s": 10}) for node in nodes[:1]}
    assert slow

    took_s = []
    for _ in range(4):
        started = time.monotonic()
        index.ping()
        took_s.append(time.monotonic() - started)

    assert sum(took > 1.9 for took in took_s) <= 1
    assert max(took_s) < 5


def test_nodes_whose_machines_are_gone_cost_a_second_each(
    node: Node,
    lost_url: Callable[[], str],
    open_index: Callable[..., ServerIndex],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A check of readiness ends after 3 s."""
    monkeypatch.setattr("sightline.index.server.nodes.random.shuffle", lambda _: None)
    index = open_index(lost_url(), lost_url(), node.url, timeout_s=3)
    started = time.monotonic()
    index.ping()
    assert CONNECT_S < time.monotonic() - started < 3


def test_a_node_that_is_starting_is_passed_over(
    start_node: Callable[[], Node], open_index: Callable[..., ServerIndex]
) -> None:
    nodes = [start_node(), start_node()]
    nodes[0].told("PUT", "faults", {"failing": 1.0})
    index = open_index(*(node.url for node in nodes))
    for _ in range(5):
        index.ping()


def test_processes_do_not_all_begin_with_the_same_node() -> None:
    urls = [f"http://qdrant-{number}:6333" for number in range(3)]
    first = set()
    for _ in range(100):
        request = httpx.Request("GET", "http://first:6333/collections?a=b", headers={"api-key": "secret"})
        nodes = Nodes(urls)
        nodes.direct(request, nodes.in_turn()[0])
        assert request.headers["Host"] == request.url.netloc.decode()
        assert request.url.raw_path == b"/collections?a=b"
        first.add(str(request.url).removesuffix("/collections?a=b"))
    assert first == set(urls)


def test_a_node_that_failed_is_asked_last_until_all_have() -> None:
    nodes = Nodes(["http://a", "http://b", "http://c"])
    nodes.failed(0)
    assert nodes.in_turn() == [1, 2, 0]
    nodes.failed(2)
    assert nodes.in_turn() == [1, 0, 2]
    nodes.failed(1)
    assert nodes.in_turn() == [0, 1, 2]


def _write_everything(index: ServerIndex, make_point: Callable[..., Point]) -> None:
    index.ensure_collection(SPEC)
    index.insert("images", [make_point(1), make_point(2), make_point(3)])
    index.set_payload("images", make_point(1).id, {"tags": ["a"]})
    index.delete("images", [make_point(3).id])


def _read_everything(index: ServerIndex, make_point: Callable[..., Point]) -> None:
    _write_everything(index, make_point)
    point = make_point(1)
    index.retrieve("images", [point.id])
    index.search("images", SearchQuery(point.vector, "space-a", 3))
    index.neighbours("images", [point.id], 1)
    index.sample("images", 1)
    index._server.points.by_id("images", None, after=None, limit=1)  # type: ignore[arg-type]


def _await_answer(node: Node) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"{node.url}/healthz", timeout=1)
            return
        except httpx.TransportError:
            assert node.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
