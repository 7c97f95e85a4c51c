"""Metrics that are read when somebody asks for them: what waits in Redis, and the room on the disk."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from sightline.errors import Unavailable
from sightline.media import MediaStore
from sightline.queue.watch import QueueState, QueueWatch


@dataclass(frozen=True)
class Watched:
    """What is looked at. `queue` has little patience: a scrape must not wait for a Redis that is gone."""

    queue: QueueWatch
    media: MediaStore
    min_free_bytes: int


class StateCollector(Collector):
    """Says what `watched` is like at each scrape; nothing while it is None, before the gateway started."""

    def __init__(self) -> None:
        self.watched: Watched | None = None

    def collect(self) -> Iterator[Metric]:
        """The families, those of Redis without samples while it does not answer."""
        if self.watched is None:
            return
        state = _read(self.watched.queue)
        yield GaugeMetricFamily(
            "sightline_redis_up", "Whether Redis answered this scrape.", value=state is not None
        )
        yield from _queue_families(state)
        yield from _disk_families(self.watched)


def _read(queue: QueueWatch) -> QueueState | None:
    try:
        return queue.read()
    except Unavailable:
        return None


def _queue_families(state: QueueState | None) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "sightline_queue_messages", "Messages that no embedder has taken yet.", labels=["queue"]
    )
    oldest = GaugeMetricFamily(
        "sightline_queue_oldest_message_seconds",
        "Since the message was sent that is taken next; 0 for an empty queue.",
        labels=["queue"],
    )
    taken = GaugeMetricFamily("sightline_queue_taken_messages", "Messages that embedders work on.")
    active = GaugeMetricFamily("sightline_jobs", "Jobs that have not ended.", labels=["state"])
    ended = CounterMetricFamily(
        "sightline_jobs_ended", "Jobs that have ended, since Redis was empty.", labels=["state"]
    )
    if state is not None:
        for queue, one in state.queues.items():
            waiting.add_metric([queue.value], one.messages)
            oldest.add_metric([queue.value], one.oldest_s)
        taken.add_metric([], state.taken)
        for job_state, jobs in state.active.items():
            active.add_metric([job_state.value], jobs)
        for job_state, jobs in state.ended.items():
            ended.add_metric([job_state.value], jobs)
    yield from (waiting, oldest, taken, active, ended)


def _disk_families(watched: Watched) -> Iterator[Metric]:
    free = GaugeMetricFamily("sightline_media_free_bytes", "Room on the disk of originals and thumbnails.")
    with suppress(Unavailable):  # No sample says that nobody knows.
        free.add_metric([], watched.media.free_bytes())
    yield free
    yield GaugeMetricFamily(
        "sightline_media_reserved_bytes",
        "Room that uploads leave (SIGHTLINE_MIN_FREE_BYTES).",
        value=watched.min_free_bytes,
    )
