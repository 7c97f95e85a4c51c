"""A backup that is restored into a data folder, whose records come before what waits for their jobs."""

from datetime import timedelta
from pathlib import Path

import pytest

from sightline.backup.manifest import RECORDS, new_backup, write_manifest
from sightline.backup.portable import take_portable
from sightline.backup.records import dump_records
from sightline.portable.discarding import discard_stale
from sightline.portable.places import PortablePlaces
from sightline.queue.connection import connect_redis
from sightline.queue.jobs import JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import ExportTarget
from sightline.settings import Settings
from sightline_local import embedded_backup
from sightline_local.embedded_backup import restore_backup


def test_an_export_is_put_back_once_its_job_is_there(
    ledger: Ledger, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ledger.create(JobRequest(collection="cats", source=ExportTarget()))
    ledger.end_listing(job.id)
    PortablePlaces(tmp_path / "first").export(job.id).mkdir(parents=True)
    with new_backup(tmp_path / "backup") as draft:
        records = dump_records(redis_url, draft / RECORDS)
        take_portable(tmp_path / "first", draft)
        write_manifest(draft, "edge", records, (0, 0), None)
    there = PortablePlaces(tmp_path / "second")

    def sweep(url: str) -> None:
        discard_stale(there, Ledger(connect_redis(url), timedelta(days=1)))

    monkeypatch.setattr(embedded_backup, "require_no_records", sweep)
    restore_backup(tmp_path / "backup", tmp_path / "second", Settings())

    assert there.export(job.id).is_dir()
