"""Measures, on searches that people really made, how many of the nearest points the index finds."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread
from time import perf_counter

import structlog

from sightline.errors import CollectionNotFound, SightlineError
from sightline.index import ScoredPoint, VectorIndex
from sightline.index.versions import collection_of
from sightline_api.http.metrics import Metrics
from sightline_api.search.query_sample import QuerySample, SampledQuery

RECALL_AT = 10
MOST_OF_THE_TIME = 0.01
"""Exact searches take at most this share of the time, however long each of them is."""
TIE = 1e-6
"""Difference of two cosines below which they are the same, as float32 computes them."""
THREAD = "recall-monitor"
_STOP_S = 5.0

_log = structlog.get_logger(__name__)


class RecallMonitor:
    """Searches a second time, exactly, for what somebody has searched for."""

    def __init__(self, index: VectorIndex, sample: QuerySample, metrics: Metrics) -> None:
        """Compare searches of `sample` in `index`, and tell `metrics`."""
        self._index = index
        self._sample = sample
        self._metrics = metrics
        self._failing = False

    def run(self, interval_s: float, stopping: Event) -> None:
        """Check one search every `interval_s` seconds, or less often if that takes long, until `stopping`."""
        pause_s = interval_s
        while not stopping.wait(pause_s):
            pause_s = max(interval_s, self.check() / MOST_OF_THE_TIME)

    def check(self) -> float:
        """Measure one search, if there is one; the seconds that the exact search took of the index."""
        sampled = self._sample.take()
        if sampled is None:
            return 0.0
        collection = collection_of(sampled.collection)
        self._metrics.recall_check_begun(collection)
        query = replace(sampled.query, limit=RECALL_AT)
        began: float | None = None
        try:
            near = self._index.search(sampled.collection, query)
            began = perf_counter()
            nearest = self._index.search(sampled.collection, replace(query, exact=True))
        except CollectionNotFound:
            return 0.0  # dropped since
        except Exception as error:  # one odd search must not end all later checks
            self._failed(sampled, error)
        else:
            self._answered()
            if nearest:
                self._metrics.recall_measured(collection, recall_of(near, nearest))
        return 0.0 if began is None else perf_counter() - began

    def _failed(self, sampled: SampledQuery, error: Exception) -> None:
        collection = collection_of(sampled.collection)
        self._metrics.recall_check_failed(collection)
        if not self._failing:
            defect = None if isinstance(error, SightlineError) else error
            _log.warning("recall_check_failed", collection=collection, detail=str(error), exc_info=defect)
        self._failing = True

    def _answered(self) -> None:
        if self._failing:
            _log.info("recall_checks_go_on")
        self._failing = False


def recall_of(near: Sequence[ScoredPoint], nearest: Sequence[ScoredPoint]) -> float:
    """The share of `nearest`, at least one point, that `near` has found, from 0 to 1.

    A point as near as the last of `nearest` counts as one of them, because which of several equals an
    exact search names is chance: recall by distance, as in ANN-Benchmarks (arXiv:1807.05614).
    """
    wanted = {point.id for point in nearest}
    last = nearest[-1].score
    found = sum(point.id in wanted or abs(point.score - last) <= TIE for point in near)
    return min(1.0, found / len(nearest))


@contextmanager
def recall_monitored(
    index: VectorIndex, sample: QuerySample, metrics: Metrics, interval_s: float
) -> Iterator[None]:
    """Have recall checked in a thread meanwhile; not at all if `interval_s` is 0."""
    if not interval_s:
        yield
        return
    stopping = Event()
    monitor = RecallMonitor(index, sample, metrics)
    thread = Thread(target=monitor.run, args=(interval_s, stopping), name=THREAD, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(_STOP_S)
