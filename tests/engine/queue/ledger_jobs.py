"""Jobs that tests of the ledger record."""

from datetime import UTC, datetime

from sightline.errors import FailureReason
from sightline.queue.jobs import (
    Batch,
    BatchOutcome,
    Failure,
    Job,
    JobRequest,
)
from sightline.queue.ledger import Ledger
from sightline.queue.sources import FolderSource, Item, SourceKind

REQUEST = JobRequest(collection="images", source=FolderSource(path="/pictures"), tags=("a",))


def item(number: int) -> Item:
    return Item(number=number, kind=SourceKind.FOLDER, uri=f"file:///{number}")


def plan(ledger: Ledger, job: Job, items: int) -> Batch:
    state = ledger.plan_state(job.id)
    numbers = range(state.next_number, state.next_number + items)
    batch = Batch(id=str(state.next_batch), items=tuple(item(number) for number in numbers))
    assert ledger.plan_batch(job.id, batch, cursor=f"file:///{numbers[-1]}")
    return batch


def failure(number: int, reason: FailureReason = FailureReason.TRUNCATED) -> Failure:
    return Failure(item=item(number), reason=reason, detail="d", attempts=1, at=datetime.now(UTC))


def job_with_failures(ledger: Ledger, pictures: int, rare: int) -> Job:
    """An ended job in which every picture was truncated, but the one numbered `rare`: that was empty."""
    job = ledger.create(REQUEST)
    batch = plan(ledger, job, pictures)
    ledger.end_listing(job.id)
    failures = tuple(
        failure(number, FailureReason.EMPTY if number == rare else FailureReason.TRUNCATED)
        for number in range(pictures)
    )
    ledger.set_outcome(job.id, batch.id, BatchOutcome(indexed=0, unchanged=0, failures=failures))
    return job
