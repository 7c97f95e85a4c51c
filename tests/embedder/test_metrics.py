"""What an embedder tells Prometheus, and where."""

import socket
from datetime import UTC, datetime
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sightline.errors import FailureReason, SettingsError
from sightline.queue.jobs import BatchOutcome, Failure
from sightline.queue.sources import Item, SourceKind
from sightline.settings import Settings
from sightline_embedder.metrics import EmbedderMetrics, metrics_served
from sightline_embedder.stages import Stage


@pytest.fixture
def settings() -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Settings(embedder_metrics_port=probe.getsockname()[1])


def told(settings: Settings) -> dict[str, float]:
    """The samples that are served, without their timestamps of creation."""
    with urlopen(f"http://127.0.0.1:{settings.embedder_metrics_port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        one.name + "".join(f",{value}" for _, value in sorted(one.labels.items())): one.value
        for family in families
        for one in family.samples
    }


def failure(reason: FailureReason) -> Failure:
    item = Item(number=0, kind=SourceKind.UPLOAD, uri="upload:a")
    return Failure(item=item, reason=reason, detail="", attempts=1, at=datetime.now(UTC))


def test_what_the_pipeline_says_is_served(settings: Settings) -> None:
    metrics = EmbedderMetrics()
    with metrics_served(metrics, settings):
        metrics.stage_took(Stage.ENCODE, 0.2)
        metrics.pictures_encoded(32)
        failures = (failure(FailureReason.EMPTY), failure(FailureReason.EMPTY))
        metrics.outcome_recorded(BatchOutcome(indexed=30, unchanged=4, canceled=1, failures=failures))
        metrics.message_handled("sightline.index_batch", given_back=False)
        metrics.message_handled("sightline.index_batch", given_back=True)
        samples = told(settings)

    assert samples["sightline_stage_duration_seconds_sum,encode"] == 0.2
    assert samples["sightline_stage_duration_seconds_count,fetch"] == 0
    assert samples["sightline_encoder_batch_size_sum,picture"] == 32
    outcomes = {name: samples[f"sightline_pictures_total,{name}"] for name in ("indexed", "unchanged")}
    assert outcomes == {"indexed": 30, "unchanged": 4}
    assert samples["sightline_pictures_total,failed"] == 2
    assert samples["sightline_pictures_total,canceled"] == 1
    assert samples["sightline_picture_failures_total,empty"] == 2
    assert samples["sightline_picture_failures_total,internal"] == 0
    assert samples["sightline_messages_total,done,sightline.index_batch"] == 1
    assert samples["sightline_messages_total,given_back,sightline.index_batch"] == 1
    assert samples["sightline_messages_total,done,sightline.plan_job"] == 0
    assert samples["process_resident_memory_bytes"] > 1 << 20


def test_nothing_listens_unless_it_is_asked_for(settings: Settings) -> None:
    with metrics_served(EmbedderMetrics(), Settings()), pytest.raises(OSError, match="refused"):
        told(settings)


def test_a_port_that_is_taken_is_named(settings: Settings) -> None:
    taken = rf"127\.0\.0\.1:{settings.embedder_metrics_port}: Address already in use.*METRICS_PORT"
    with (
        metrics_served(EmbedderMetrics(), settings),
        pytest.raises(SettingsError, match=taken),
        metrics_served(EmbedderMetrics(), settings),
    ):
        pass
