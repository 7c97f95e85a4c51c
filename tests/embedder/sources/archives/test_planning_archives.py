"""Archives as jobs: planned in batches by whoever is there, and every picture accounted for."""

import gzip
from datetime import timedelta
from pathlib import Path

import pytest
from archive_folder import Archives
from building_archives import FORMATS, jpeg, raw_entry, tar_of, zip_of_entries
from celery import Celery
from redis import Redis

from sightline.errors import FailureReason
from sightline.index.edge.client import EdgeClient
from sightline.queue.duplicates import Duplicates
from sightline.queue.jobs import BatchOutcome, JobRequest, JobState
from sightline.queue.ledger import Ledger
from sightline.queue.migrations import Migrations
from sightline.queue.planning import PlanningLeases
from sightline.queue.sources import ArchiveSource, Item
from sightline.served import VersionsWritten
from sightline.settings import Settings
from sightline.writing import PointWriter
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_embedder.migrating.plan import MigrationPlan
from sightline_embedder.planning import Planner
from sightline_embedder.remotes import Remotes
from sightline_embedder.sources.opening import SourceOpener
from sightline_embedder.syncing import FolderSync

LEASE_S = 30.0


def planner(
    redis: Redis, ledger: Ledger, broker: Celery, archives: Archives, batch_pictures: int = 4
) -> Planner:
    settings = Settings(data_dir=archives.folder / "data", import_roots=[archives.root], min_free_bytes=0)
    # None of these jobs is a sync, a scan or a migration, which would ask Redis and the index.
    index, nowhere = EdgeClient(archives.folder / "no-index"), Migrations(Redis())
    writer = PointWriter(index, VersionsWritten(nowhere))
    sync = FolderSync(Redis(), index, writer, archives.media, batch_pictures=4)
    return Planner(
        ledger,
        broker,
        PlanningLeases(redis, LEASE_S),
        opener=SourceOpener.of(settings, ledger, archives.media, Remotes.of(settings)),
        sync=sync,
        scan=DuplicateScan(index, Duplicates(Redis(), timedelta(days=1))),
        migrations=MigrationPlan(index, nowhere, batch_pictures=4),
        portable=lambda *_: None,
        batch_pictures=batch_pictures,
        batches_in_flight=2,
    )


def job_of(ledger: Ledger, path: Path) -> str:
    return ledger.create(JobRequest(collection="images", source=ArchiveSource(path=str(path)))).id


def take_batches(ledger: Ledger, job_id: str) -> list[Item]:
    """What embedders do: every planned batch is done, and gone."""
    taken: list[Item] = []
    for batch_id in ledger.pending_batches(job_id):
        batch = ledger.batch(job_id, batch_id)
        assert batch is not None
        taken += batch.items
        ledger.set_outcome(job_id, batch_id, BatchOutcome(indexed=len(batch.items), unchanged=0))
    return taken


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_planners_that_come_and_go_plan_every_picture_once(
    ledger: Ledger, redis: Redis, broker: Celery, archives: Archives, form: str
) -> None:
    files = {f"{number:02}.jpg": jpeg(number) for number in range(23)}
    files |= {f"{number:02}.json": b'{"number": %d}' % number for number in range(23)}
    job_id = job_of(ledger, archives.add(FORMATS[form](dict(sorted(files.items())))))
    kept = planner(redis, ledger, broker, archives)
    items: list[Item] = []
    steps = 0
    while not ledger.job(job_id).state.final:
        (kept if steps % 3 else planner(redis, ledger, broker, archives)).plan(job_id)
        assert ledger.plan_state(job_id).in_flight <= 2
        items += take_batches(ledger, job_id)
        steps += 1

    job = ledger.job(job_id)
    assert (job.state, job.counts.total, job.counts.indexed) == (JobState.SUCCEEDED, 23, 23)
    assert steps >= 3
    assert [item.number for item in items] == list(range(23))
    assert [item.metadata for item in items] == [{"number": number} for number in range(23)]
    originals = [archives.media.read_original("images", item.sha256 or "") for item in items]
    assert originals == [files[f"{number:02}.jpg"] for number in range(23)]


def test_refused_members_reach_their_batches_with_their_reason(
    ledger: Ledger, redis: Redis, broker: Celery, archives: Archives
) -> None:
    names = [b"a.jpg", b"../b.jpg", b"c.jpg"]
    path = archives.add(zip_of_entries([raw_entry(name, jpeg(at)) for at, name in enumerate(names)]))
    job_id = job_of(ledger, path)
    planner(redis, ledger, broker, archives).plan(job_id)

    first, second, third = take_batches(ledger, job_id)
    assert first.refused is None
    assert second.refused is not None
    assert second.refused.reason is FailureReason.ARCHIVE_MEMBER_UNSAFE
    assert third.uri == f"{path.as_uri()}#c.jpg"


@pytest.mark.parametrize("batch_pictures", [1, 4])
def test_a_damaged_archive_fails_its_job_and_keeps_what_lies_before(
    ledger: Ledger, redis: Redis, broker: Celery, archives: Archives, batch_pictures: int
) -> None:
    whole = tar_of({f"{number}.jpg": jpeg(number) for number in range(10)})
    path = archives.add(gzip.compress(whole[: whole.index(b"6.jpg")]))
    job_id = job_of(ledger, path)
    items: list[Item] = []
    while not ledger.job(job_id).state.final:
        planner(redis, ledger, broker, archives, batch_pictures).plan(job_id)
        items += take_batches(ledger, job_id)

    job = ledger.job(job_id)
    assert [item.uri.partition("#")[2] for item in items] == [f"{number}.jpg" for number in range(6)]
    assert (job.state, job.counts.indexed) == (JobState.FAILED, 6)
    assert job.error is not None
    assert job.error.code == "archive_damaged"
    assert str(path) in job.error.detail
