"""An embedded index whose HNSW is being built, and what can be told of it from outside."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from sightline.index import CollectionSpec, Point, SearchQuery
from sightline.index.edge.client import EdgeClient
from sightline.payload import indexed_fields

MakePoint = Callable[..., Point]

SPEC = CollectionSpec("images", "space-a", 16, indexed_fields({}))
POINTS = 1_000


def settled(check: Callable[[], None], within_s: float = 60.0, every_s: float = 0.02) -> None:
    """Return when the check holds."""
    Retrying(
        retry=retry_if_exception_type((AssertionError, psutil.NoSuchProcess)),
        stop=stop_after_delay(within_s),
        wait=wait_fixed(every_s),
        reraise=True,
    )(check)


def children(child: Any, module: str) -> list[psutil.Process]:
    """The index process's own processes that run `module`."""
    running = psutil.Process(child.pid).children(recursive=True)
    return [one for one in running if f"sightline.index.edge.{module}" in one.cmdline()]


def filled(process: Any, make_point: MakePoint, points: int = POINTS) -> EdgeClient:
    client: EdgeClient = process.client(patience_s=30.0)
    client.ensure_collection(SPEC)
    client.insert("images", [make_point(number) for number in range(points)])
    return client


def built(client: EdgeClient, points: int = POINTS) -> Callable[[], None]:
    def check() -> None:
        assert client.collection("images").indexed == points

    return check


def found_first(client: EdgeClient, point: Point) -> bool:
    best = client.search("images", SearchQuery(point.vector, "space-a", 1))
    return [hit.id for hit in best] == [point.id]


def folders(process: Any) -> list[str]:
    return sorted(path.name for path in (process.folder / "index" / "shards").iterdir())


@contextmanager
def writing(client: EdgeClient, make_point: MakePoint, start: int) -> Iterator[list[Point]]:
    """Insert points one by one until the end of the block; the list has those that were acknowledged."""
    written: list[Point] = []
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        number = start
        try:
            while not stop.wait(0.01):
                point = make_point(number)
                client.insert("images", [point])
                written.append(point)
                number += 1
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield written
    finally:
        stop.set()
        thread.join()
    assert not failures


def kill(child: Any, module: str) -> None:
    [victim] = children(child, module)
    victim.kill()


def check_indexed(client: EdgeClient, points: int) -> None:
    if client.collection("images").indexed < points:
        client.optimize("images")
        raise AssertionError


def check_folders(process: Any, number: int) -> None:
    assert len(folders(process)) == number


def check_building(child: Any) -> None:
    assert children(child, "shard_build")
