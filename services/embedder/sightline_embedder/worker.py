"""The worker: an embedder that takes messages until it is told to stop."""

import warnings
from contextlib import closing
from threading import Event, Thread

import structlog
from celery import Celery
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from celery.signals import setup_logging, task_postrun, task_prerun, worker_shutting_down

from sightline.errors import Unavailable
from sightline.index.connect import open_index
from sightline.queue.embedders import Embedders
from sightline.queue.ledger import Ledger
from sightline.queue.messages import IndexBatch, Queue
from sightline.settings import Settings
from sightline.tracing import open_tracer
from sightline.waiting import await_services
from sightline_embedder.assembly import build_embedder
from sightline_embedder.health import Heartbeat, send_heartbeats
from sightline_embedder.leases import keep_leases
from sightline_embedder.metrics import EmbedderMetrics, metrics_served
from sightline_embedder.planning import Planner
from sightline_embedder.presence import Presence
from sightline_embedder.progress import Progress
from sightline_embedder.recovery import rebuild_queue
from sightline_embedder.stages import Telemetry
from sightline_embedder.tasks import register_tasks

_log = structlog.get_logger(__name__)

BATCHES_AT_ONCE = 2
"""One batch decodes while the other encodes."""


def run_worker(settings: Settings) -> None:
    """Run an embedder until SIGTERM; raises SettingsError or ModelError when it cannot start."""
    tracer, metrics = open_tracer(settings, "sightline-embedder"), EmbedderMetrics()
    with closing(tracer), metrics_served(metrics, settings):
        _run(settings, Telemetry(metrics, tracer))


def _run(settings: Settings, telemetry: Telemetry) -> None:
    embedder = build_embedder(settings, telemetry)
    broker, stopping = embedder.broker, Event()
    presence, planner = Presence(Embedders(embedder.redis), embedder.progress), embedder.planner()
    register_tasks(broker, planner, embedder.runner(), stopping, telemetry)
    try:
        _await_services(settings, embedder.ledger, stopping)
        if settings.sole_embedder:
            embedder.planning_leases.break_all(embedder.ledger.active())
            rebuild_queue(embedder.redis, broker, embedder.ledger, settings.batches_in_flight)
        embedder.reconciler().start(stopping)
        Thread(target=_give_back_starts, args=(planner, stopping), name="giving-back", daemon=True).start()
        keep_leases(broker, settings.visibility_timeout_s)
        _watch_messages(embedder.progress, presence)
        file = [Heartbeat(settings.heartbeat_file, embedder.progress).beat] if settings.heartbeat_file else []
        send_heartbeats(broker, [presence.beat, *file, embedder.models.unload_idle])
        encoder = embedder.models.default.encoder
        _log.info("embedder_ready", model=encoder.manifest.name, numerics=encoder.numerics)
        _consume(broker, stopping)
    finally:
        stopping.set()
        presence.leave()
        embedder.close()


def _watch_messages(progress: Progress, presence: Presence) -> None:
    def finished(task: str) -> None:
        progress.note()
        if task == IndexBatch.task:
            presence.count_batch()

    task_prerun.connect(lambda **_: progress.note(), weak=False)
    task_postrun.connect(lambda task, **_: finished(task.name), weak=False)


def _await_services(settings: Settings, ledger: Ledger, stopping: Event) -> None:
    # A client of its own, which says soon that nothing answers.
    index = open_index(settings)
    try:
        await_services({"Redis": ledger.ping, "the index": index.ping}, stopping)
    finally:
        index.close()


def _give_back_starts(planner: Planner, stopping: Event) -> None:
    """When this embedder is told to stop: it may be killed in the middle of a long download without blame."""
    stopping.wait()
    try:
        planner.give_back_starts()
    except Unavailable as error:
        _log.warning("starts_not_given_back", reason=str(error))


def _consume(broker: Celery, stopping: Event) -> None:
    """Take messages until SIGTERM, then finish the batches at hand or leave them to be sent again."""
    # Celery warns of running as root because pickle would be dangerous then; we take JSON alone.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    # It would say at each loss of the connection that a later Celery cancels tasks then.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    # With a receiver Celery leaves our logs alone; it would set the root logger's level.
    setup_logging.connect(lambda **_: None, weak=False)
    worker = broker.Worker(
        pool="threads",
        concurrency=BATCHES_AT_ONCE,
        queues=[queue.value for queue in Queue],
        without_heartbeat=True,
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker_shutting_down.connect(lambda **_: stopping.set(), weak=False)
    worker.start()
    if not stopping.is_set():
        _log.error("consumer_ended", reason="The log above says why; this embedder must be started again.")
        raise SystemExit(1)
