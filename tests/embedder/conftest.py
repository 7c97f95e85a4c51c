"""A real queue for the parts of the embedder that work on it, and a job that waits to be planned."""

from pathlib import Path

import pytest
from celery import Celery

from sightline.queue.broker import create_broker
from sightline.queue.jobs import JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import FolderSource


@pytest.fixture
def broker(redis_url: str) -> Celery:
    return create_broker(redis_url, visibility_timeout_s=60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of 23 files named as pictures."""
    for number in range(23):
        (tmp_path / f"{number:02}.jpg").write_bytes(b"x")
    return tmp_path


@pytest.fixture
def job_id(ledger: Ledger, folder: Path) -> str:
    """A job over that folder."""
    source = FolderSource(path=str(folder))
    return ledger.create(JobRequest(collection="images", source=source)).id
