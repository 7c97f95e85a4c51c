"""Adding and removing sources on a server, in every order that their single updates can meet in."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import combinations
from threading import Condition
from typing import Any

import pytest
from qdrant_client import QdrantClient

from sightline.index import Point
from sightline.index.placement import Cluster
from sightline.index.records import point_record
from sightline.index.server.engine import QdrantServer
from sightline.index.server.points import QdrantPoints
from sightline.index.server.sources import ServerSources
from sightline.payload import Source

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")

ADD_STEPS, REMOVE_STEPS = 3, 6
OLD, NEW = (Source(kind="folder", uri=f"file:///{name}") for name in ("old", "new"))


class Turns:
    """Lets two writers make their calls in a given order; who has ended is passed over."""

    def __init__(self, order: Sequence[str]) -> None:
        self._order = list(order)
        self._changed = Condition()

    @contextmanager
    def turn(self, writer: str) -> Iterator[None]:
        with self._changed:
            assert self._changed.wait_for(lambda: self._order[:1] in ([writer], []), timeout=10)
            yield
            del self._order[:1]
            self._changed.notify_all()

    def end(self, writer: str) -> None:
        with self._changed:
            self._order = [one for one in self._order if one != writer]
            self._changed.notify_all()


class OneCallATurn(QdrantPoints):
    """Points of a server whose every call waits for its writer's turn."""

    def __init__(self, client: QdrantClient, turns: Turns, writer: str) -> None:
        super().__init__(client, Cluster())
        self._turns = turns
        self._writer = writer

    def _wait(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        with self._turns.turn(self._writer):
            return call(*arguments, **options)

    def merge_payload(self, *arguments: Any, **options: Any) -> None:
        self._wait(super().merge_payload, *arguments, **options)

    def remove_payload(self, *arguments: Any) -> None:
        self._wait(super().remove_payload, *arguments)

    def delete_matching(self, *arguments: Any) -> None:
        self._wait(super().delete_matching, *arguments)

    def retrieve(self, *arguments: Any, **options: Any) -> Any:
        return self._wait(super().retrieve, *arguments, **options)


def orders() -> Iterator[list[str]]:
    """Every order of the steps of an addition among those of a removal."""
    steps = ADD_STEPS + REMOVE_STEPS
    for places in combinations(range(steps), ADD_STEPS):
        yield ["add" if step in places else "remove" for step in range(steps)]


def test_no_order_loses_a_source_unnoticed(make_point: Callable[..., Point]) -> None:
    client = QdrantClient(":memory:")
    plain = QdrantServer(client)
    plain.collections.create("images", "space-a", 16)
    outcomes = set()
    for number, order in enumerate(orders()):
        point = make_point(number, sources={"old": OLD})
        plain.points.insert("images", [point_record(point)])
        turns = Turns(order)

        def add(point: Point = point, turns: Turns = turns) -> bool:
            points = OneCallATurn(client, turns, "add")
            ServerSources(points).add("images", {point.id: {"new": NEW}})
            found = points.retrieve("images", [point.id], with_vectors=False)
            turns.end("add")
            return bool(found)

        def remove(point: Point = point, turns: Turns = turns) -> bool:
            gone = ServerSources(OneCallATurn(client, turns, "remove")).remove("images", {point.id: ["old"]})
            turns.end("remove")
            return point.id in gone

        with ThreadPoolExecutor(2) as pool:
            adding, removing = pool.submit(add), pool.submit(remove)
            kept, gone = adding.result(), removing.result()

        left = plain.points.retrieve("images", [point.id], with_vectors=False)
        assert kept is bool(left) is not gone, order
        assert not left or set(left[0].payload["sources"]) == {"new"}, order
        outcomes.add(kept)
    assert outcomes == {True, False}


def test_two_removals_at_once_leave_no_point_without_sources(make_point: Callable[..., Point]) -> None:
    client = QdrantClient(":memory:")
    plain = QdrantServer(client)
    plain.collections.create("images", "space-a", 16)
    for number, places in enumerate(combinations(range(10), 5)):
        point = make_point(number, sources={"old": OLD})
        plain.points.insert("images", [point_record(point)])
        turns = Turns(["one" if step in places else "two" for step in range(10)])

        def remove(writer: str, point: Point = point, turns: Turns = turns) -> set[str]:
            gone = ServerSources(OneCallATurn(client, turns, writer)).remove("images", {point.id: ["old"]})
            turns.end(writer)
            return gone

        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(remove, ["one", "two"])) == [{point.id}, {point.id}]
        assert plain.points.count("images") == 0
