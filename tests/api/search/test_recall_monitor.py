"""Recall is measured over a real index process, and is less than one where searches miss."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from structlog.testing import capture_logs
from tenacity import retry, stop_after_delay, wait_fixed

from sightline.identity import point_id
from sightline.index import CollectionSpec, Point, ScoredPoint, SearchQuery, VectorIndex
from sightline.index.edge.client import EdgeClient
from sightline.index.filters import Condition
from sightline.payload import INDEXED_FIELDS, Payload
from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.gateway import Gateway
from sightline_api.http.metrics import Metrics
from sightline_api.search import recall_monitor
from sightline_api.search.query_sample import QuerySample
from sightline_api.search.recall_monitor import THREAD, RecallMonitor, recall_of

SPACE = "model@0123456789abcdef"
DIMENSION = 16
POINTS = 200


class MissesTheBest(EdgeClient):
    """An index whose approximate searches do not find the three nearest points."""

    def search(self, collection: str, query: SearchQuery) -> Sequence[ScoredPoint]:
        return super().search(collection, query if query.exact else replace(query, offset=3))


@pytest.fixture(scope="module")
def collection(index_socket: Path, make_payload: Callable[..., Payload]) -> Iterator[str]:
    """200 points with random vectors; one in twenty of them is a PNG."""
    name = f"recall-{uuid4().hex[:8]}"
    vectors = np.random.default_rng(0).normal(size=(POINTS, DIMENSION)).astype(np.float32)
    with closing(EdgeClient(index_socket)) as index:
        index.ensure_collection(CollectionSpec(name, SPACE, DIMENSION, INDEXED_FIELDS))
        index.insert(name, [_point(make_payload, *one) for one in enumerate(vectors)])
        yield name
        index.drop_collection(name)


def _point(make_payload: Callable[..., Payload], number: int, vector: Any) -> Point:
    sha256 = f"{number:064x}"
    payload = make_payload(sha256=sha256, format="jpeg" if number % 20 else "png")
    return Point(point_id(sha256), vector / np.linalg.norm(vector), payload)


@pytest.fixture
def index(index_socket: Path) -> Iterator[EdgeClient]:
    with closing(EdgeClient(index_socket)) as index:
        yield index


@pytest.fixture
def sample() -> QuerySample:
    return QuerySample()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def query(number: int = 0, **more: Any) -> SearchQuery:
    vector = np.random.default_rng(1000 + number).normal(size=DIMENSION).astype(np.float32)
    return SearchQuery(vector / np.linalg.norm(vector), SPACE, limit=21, **more)


def value(text: bytes, name: str, **labels: str) -> float | None:
    """The value of one series in Prometheus' text format, None where it is missing."""
    for family in text_string_to_metric_families(text.decode()):
        for one in family.samples:
            if one.name == name and one.labels == labels:
                return one.value
    return None


def measured(metrics: Metrics, collection: str) -> tuple[float | None, float | None]:
    """How many searches were measured, and the sum of their recall."""
    text = metrics.text()
    return (
        value(text, "sightline_recall_at_10_count", collection=collection),
        value(text, "sightline_recall_at_10_sum", collection=collection),
    )


def checks(metrics: Metrics, collection: str) -> tuple[float | None, float | None]:
    """How many checks were begun, and how many of them failed."""
    text = metrics.text()
    return (
        value(text, "sightline_recall_checks_total", collection=collection),
        value(text, "sightline_recall_check_failures_total", collection=collection),
    )


def test_an_index_that_finds_everything_has_recall_one(
    index: EdgeClient, collection: str, sample: QuerySample, metrics: Metrics
) -> None:
    monitor = RecallMonitor(index, sample, metrics)
    for number in range(5):
        sample.offer(collection, query(number))
        monitor.check()

    assert measured(metrics, collection) == (5, 5.0)
    assert checks(metrics, collection) == (5, 0)


def test_an_index_that_misses_the_best_shows_it(
    index_socket: Path, collection: str, sample: QuerySample, metrics: Metrics
) -> None:
    with closing(MissesTheBest(index_socket)) as wrong:
        monitor = RecallMonitor(wrong, sample, metrics)
        for number in range(4):
            sample.offer(collection, query(number))
            monitor.check()

    assert measured(metrics, collection) == (4, pytest.approx(4 * 0.7))
    assert [
        value(metrics.text(), "sightline_recall_at_10_bucket", collection=collection, le=le)
        for le in ("0.6", "0.7", "1.0")
    ] == [0, 4, 4]


def test_a_search_is_repeated_with_its_filter_and_what_it_excludes(
    index_socket: Path, collection: str, sample: QuerySample, metrics: Metrics
) -> None:
    asked: list[SearchQuery] = []

    class Recorded(EdgeClient):
        def search(self, collection: str, query: SearchQuery) -> Sequence[ScoredPoint]:
            asked.append(query)
            return super().search(collection, query)

    png, excluded = Condition(field="format", eq="png"), (point_id(f"{0:064x}"),)
    sample.offer(collection, query(filter=png, exclude=excluded))
    with closing(Recorded(index_socket)) as index:
        RecallMonitor(index, sample, metrics).check()

    assert [(one.exact, one.limit, one.filter, one.exclude) for one in asked] == [
        (False, 10, png, excluded),
        (True, 10, png, excluded),
    ]
    # Nine points match, and all of them are found.
    assert measured(metrics, collection) == (1, 1.0)


def test_where_nothing_is_there_to_find_nothing_is_measured(
    index: EdgeClient, collection: str, sample: QuerySample, metrics: Metrics
) -> None:
    sample.offer(collection, query(filter=Condition(field="format", eq="gif")))
    RecallMonitor(index, sample, metrics).check()

    assert measured(metrics, collection) == (None, None)
    assert checks(metrics, collection) == (1, 0)


def test_a_collection_dropped_since_is_no_failure(
    index: EdgeClient, sample: QuerySample, metrics: Metrics
) -> None:
    sample.offer("dropped-since", query())
    assert RecallMonitor(index, sample, metrics).check() == 0.0
    assert checks(metrics, "dropped-since") == (1, 0)


def test_an_index_away_is_told_once_and_checks_go_on_when_it_is_back(
    index_socket: Path, collection: str, sample: QuerySample, metrics: Metrics, tmp_path: Path
) -> None:
    socket = tmp_path / "s"
    with closing(EdgeClient(socket, patience_s=0.0)) as index, capture_logs() as logs:
        monitor = RecallMonitor(index, sample, metrics)
        for number in range(6):
            if number == 3:
                socket.symlink_to(index_socket)
            sample.offer(collection, query(number))
            monitor.check()

    assert checks(metrics, collection) == (6, 3)
    assert measured(metrics, collection) == (3, 3.0)
    assert [one["event"] for one in logs] == ["recall_check_failed", "recall_checks_go_on"]
    assert str(socket) in logs[0]["detail"]


def test_equals_of_the_last_one_count(make_payload: Callable[..., Payload]) -> None:
    def points(**scores: float) -> list[ScoredPoint]:
        return [ScoredPoint(name, score, make_payload()) for name, score in scores.items()]

    nearest = points(a=0.9, b=0.8, c=0.7)
    assert recall_of(points(a=0.9, b=0.8, d=0.7), nearest) == 1.0
    assert recall_of(points(a=0.9, b=0.8, d=0.6), nearest) == pytest.approx(2 / 3)
    assert recall_of(points(a=0.9, d=0.8, e=0.6), nearest) == pytest.approx(1 / 3)
    assert recall_of([], nearest) == 0.0


class _Waits(Event):
    """Notes for how long it is waited for, and is set at the end of the third wait."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout)
        return len(self.asked) == 3


@pytest.mark.parametrize(("scan_s", "pause_s"), [(0.2, 60.0), (3.0, 300.0)])
def test_after_a_long_scan_comes_a_long_pause(
    index: EdgeClient,
    collection: str,
    sample: QuerySample,
    metrics: Metrics,
    monkeypatch: pytest.MonkeyPatch,
    scan_s: float,
    pause_s: float,
) -> None:
    sample.offer(collection, query())
    sample.offer(collection, query())
    ticks = count(step=scan_s)
    monkeypatch.setattr(recall_monitor, "perf_counter", lambda: next(ticks))
    stopping = _Waits()

    RecallMonitor(index, sample, metrics).run(60.0, stopping)

    assert stopping.asked == pytest.approx([60.0, pause_s, pause_s])
    assert measured(metrics, collection) == (2, 2.0)


def monitoring() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def test_searches_over_http_are_measured_while_the_gateway_serves(
    settings: Settings, make_payload: Callable[..., Payload]
) -> None:
    quick = settings.model_copy(update={"recall_sample_s": 0.02, "collection": "recall-http"})
    before = monitoring()  # Other gateways of this process have theirs.
    with TestClient(create_app(quick)) as client:
        gateway: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
        _fill(gateway.index, gateway.collection_spec("recall-http"), make_payload)
        client.get("/v1/search", params={"q": "a cat", "limit": 3}).raise_for_status()

        @retry(stop=stop_after_delay(20), wait=wait_fixed(0.02))
        def recall() -> float:
            text = client.get("/metrics").raise_for_status().content
            assert value(text, "sightline_recall_at_10_count", collection="recall-http") == 1
            return value(text, "sightline_recall_at_10_sum", collection="recall-http") or 0.0

        assert recall() == 1.0
        (ours,) = (one for one in monitoring() if one not in before)
        gateway.index.drop_collection("recall-http")
    ours.join(20)
    assert not ours.is_alive()


def _fill(index: VectorIndex, spec: CollectionSpec, make_payload: Callable[..., Payload]) -> None:
    index.ensure_collection(spec)
    vectors = np.random.default_rng(2).normal(size=(30, spec.dimension)).astype(np.float32)
    points = [
        Point(
            point_id(f"{number:064x}"),
            vector / np.linalg.norm(vector),
            make_payload(sha256=f"{number:064x}", space=spec.space),
        )
        for number, vector in enumerate(vectors)
    ]
    index.insert(spec.name, points)


def test_searches_keep_as_many_candidates_as_the_settings_say(settings: Settings) -> None:
    with TestClient(create_app(settings.model_copy(update={"search_ef": 77}))) as client:
        client.get("/readyz").raise_for_status()
        client.get("/v1/search", params={"q": "a cat"}).raise_for_status()
        gateway: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
        asked = gateway.query_sample.take()
        assert asked is not None
        assert asked.query.ef == 77


def test_turned_off_it_keeps_and_does_nothing(settings: Settings) -> None:
    before = len(monitoring())
    with TestClient(create_app(settings.model_copy(update={"recall_sample_s": 0.0}))) as client:
        client.get("/readyz").raise_for_status()
        client.get("/v1/search", params={"q": "a cat"}).raise_for_status()
        gateway: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
        assert len(gateway.query_sample) == 0
        assert len(monitoring()) == before
