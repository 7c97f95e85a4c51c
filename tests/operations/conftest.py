"""What an api and an embedder tell Prometheus, after each of their metrics was used once."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from sightline.errors import FailureReason
from sightline.media import FolderMediaStore
from sightline.queue.jobs import BatchOutcome, Failure, JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import Item, RecordedSource, SourceKind
from sightline.queue.watch import QueueWatch
from sightline_api.http.metrics import Metrics
from sightline_api.http.state_metrics import Watched
from sightline_embedder.metrics import EmbedderMetrics
from sightline_embedder.stages import Stage

Families = dict[str, Metric]
"""By the names that Prometheus gives them, without what counters and histograms have beside their own."""


@pytest.fixture
def api_families(redis: Redis, ledger: Ledger, tmp_path: Path) -> Families:
    ledger.stop(ledger.create(JobRequest(collection="images", source=RecordedSource(kind="upload"))).id)
    metrics = Metrics()
    metrics.watch(Watched(QueueWatch(redis), FolderMediaStore(tmp_path), 0))
    metrics.request_answered("/v1/search", "GET", 200, 0.1)
    metrics.searched(0.1, 0.1)
    metrics.texts_encoded(1)
    metrics.pictures_encoded(1)
    metrics.recall_check_begun("images")
    metrics.recall_measured("images", 1.0)
    return dict(_named(metrics.text().decode()))


@pytest.fixture
def embedder_families() -> Families:
    metrics = EmbedderMetrics()
    metrics.stage_took(Stage.ENCODE, 0.1)
    metrics.pictures_encoded(1)
    item = Item(number=0, kind=SourceKind.UPLOAD, uri="upload:a")
    now = datetime.now(UTC)
    failure = Failure(item=item, reason=FailureReason.EMPTY, detail="", attempts=1, at=now)
    metrics.outcome_recorded(BatchOutcome(indexed=1, unchanged=0, failures=(failure,)))
    return dict(_named(generate_latest(metrics.registry).decode()))


def _named(text: str) -> Iterator[tuple[str, Metric]]:
    for family in text_string_to_metric_families(text):
        if not family.name.endswith("_created"):
            yield (f"{family.name}_total" if family.type == "counter" else family.name), family
