"""A planner over a real ledger and queue, whose batches a test ends by hand."""

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery import Celery
from redis import Redis

from sightline.index.edge.client import EdgeClient
from sightline.media import FolderMediaStore
from sightline.queue.duplicates import Duplicates
from sightline.queue.jobs import BatchOutcome
from sightline.queue.ledger import Ledger
from sightline.queue.messages import Queue
from sightline.queue.migrations import Migrations
from sightline.queue.planning import PlanningLeases
from sightline.served import VersionsWritten
from sightline.settings import Settings
from sightline.writing import PointWriter
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_embedder.migrating.plan import MigrationPlan
from sightline_embedder.planning import Planner
from sightline_embedder.remotes import Remotes
from sightline_embedder.sources.opening import SourceOpener
from sightline_embedder.syncing import FolderSync

IN_FLIGHT = 3
LEASE_S = 30.0


def planner(redis: Redis, ledger: Ledger, broker: Celery, folder: Path, **options: Any) -> Planner:
    """A planner of batches of 4 pictures, as many in flight as IN_FLIGHT says."""
    media = FolderMediaStore(folder / ".media")
    settings = Settings(data_dir=folder / ".data", import_roots=[folder])
    # None of these jobs is a sync, a scan or a migration, which would ask Redis and the index.
    index, nowhere = EdgeClient(folder / "no-index"), Migrations(Redis())
    writer = PointWriter(index, VersionsWritten(nowhere))
    opener = SourceOpener.of(settings, ledger, media, Remotes.of(settings))
    defaults: dict[str, Any] = {"opener": opener, "portable": lambda *_: None}
    sync = FolderSync(Redis(), index, writer, media, batch_pictures=4)
    return Planner(
        ledger,
        broker,
        PlanningLeases(redis, LEASE_S),
        sync=sync,
        scan=DuplicateScan(index, Duplicates(Redis(), timedelta(days=1))),
        migrations=MigrationPlan(index, nowhere, batch_pictures=4),
        batch_pictures=4,
        batches_in_flight=IN_FLIGHT,
        **(defaults | options),
    )


def messages(redis: Redis, queue: Queue) -> list[dict[str, object]]:
    """What the messages of a queue say, the newest first."""
    bodies = [json.loads(message) for message in redis.lrange(queue.value, 0, -1)]
    return [json.loads(_decoded(body))[1] for body in bodies]


def _decoded(message: dict[str, str]) -> bytes:
    return base64.b64decode(message["body"])


def finish_batches(ledger: Ledger, job_id: str) -> None:
    """Record every planned batch of a job as indexed."""
    for batch_id in ledger.pending_batches(job_id):
        batch = ledger.batch(job_id, batch_id)
        assert batch is not None
        ledger.set_outcome(job_id, batch_id, BatchOutcome(indexed=len(batch.items), unchanged=0))
