"""What an embedder tells Prometheus; the one door to its client library here."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    start_http_server,
)

from sightline.errors import FailureReason, SettingsError
from sightline.queue.jobs import BatchOutcome
from sightline.queue.messages import IndexBatch, PlanJob
from sightline.settings import Settings
from sightline_embedder.stages import Stage

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_TASKS = (PlanJob.task, IndexBatch.task)
_PICTURE_OUTCOMES = ("indexed", "unchanged", "failed", "canceled")
_MESSAGE_OUTCOMES = ("done", "given_back")


class EmbedderMetrics:
    """The metrics of one embedder, in a registry of their own; a PipelineObserver."""

    def __init__(self) -> None:
        """Begin everything at zero: a series that begins with its first event would show no increase."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Info("sightline_build", "The version of the embedder.", registry=self.registry)
        build.info({"version": version("sightline-embedder")})
        self._stages = Histogram(
            "sightline_stage_duration_seconds",
            "Time of a stage: fetch and decode of one picture, the others of a batch.",
            ("stage",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batches = Histogram(
            "sightline_encoder_batch_size",
            "Texts or pictures that the encoder was given at once.",
            ("tower",),
            buckets=_SIZES,
            registry=self.registry,
        )
        self._pictures = self._counter("sightline_pictures", "Pictures of batches, by outcome.", "outcome")
        self._failures = self._counter("sightline_picture_failures", "Failed pictures, by reason.", "reason")
        self._messages = Counter(
            "sightline_messages",
            "Messages that were taken, by task and by whether they were worked off or given back.",
            ("task", "outcome"),
            registry=self.registry,
        )
        for stage in Stage:
            self._stages.labels(stage.value)
        for outcome in _PICTURE_OUTCOMES:
            self._pictures.labels(outcome)
        for reason in FailureReason:
            self._failures.labels(reason.value)
        for task in _TASKS:
            for outcome in _MESSAGE_OUTCOMES:
                self._messages.labels(task, outcome)

    def stage_took(self, stage: Stage, seconds: float) -> None:
        """See PipelineObserver."""
        self._stages.labels(stage.value).observe(seconds)

    def pictures_encoded(self, pictures: int) -> None:
        """See PipelineObserver."""
        self._batches.labels("picture").observe(pictures)

    def outcome_recorded(self, outcome: BatchOutcome) -> None:
        """See PipelineObserver."""
        counts = (outcome.indexed, outcome.unchanged, len(outcome.failures), outcome.canceled)
        for name, count in zip(_PICTURE_OUTCOMES, counts, strict=True):
            self._pictures.labels(name).inc(count)
        for failure in outcome.failures:
            self._failures.labels(failure.reason.value).inc()

    def message_handled(self, task: str, *, given_back: bool) -> None:
        """See PipelineObserver."""
        self._messages.labels(task, "given_back" if given_back else "done").inc()

    def _counter(self, name: str, documentation: str, label: str) -> Counter:
        return Counter(name, documentation, (label,), registry=self.registry)


@contextmanager
def metrics_served(metrics: EmbedderMetrics, settings: Settings) -> Iterator[None]:
    """Serve the metrics over HTTP meanwhile, if the settings say where; raises SettingsError if not there."""
    port, host = settings.embedder_metrics_port, settings.embedder_metrics_host
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise SettingsError(
            f"The embedder's metrics cannot be served on {host}:{port}: {error.strerror or error}. Change "
            f"SIGHTLINE_EMBEDDER_METRICS_HOST or SIGHTLINE_EMBEDDER_METRICS_PORT."
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
