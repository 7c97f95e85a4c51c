"""Planning: list a job's source lazily, and keep a bounded number of its batches in flight."""

from collections.abc import Iterator
from itertools import islice
from threading import Lock

import structlog
from celery import Celery

from sightline.errors import JobNotFound
from sightline.queue.broker import send
from sightline.queue.jobs import Batch, JobError, PlanState
from sightline.queue.ledger import Ledger
from sightline.queue.messages import IndexBatch, PlanJob
from sightline.queue.sources import Item
from sightline_embedder.errors import SourceError
from sightline_embedder.sources import Listed
from sightline_embedder.sources.opening import SourceOpener

_log = structlog.get_logger(__name__)


class Planner:
    """Plans batches until the source ends or enough are in flight.

    Each step starts from the cursor in the ledger, so that a planner that dies costs nothing. The
    listing of a job is kept between steps, and used again where the ledger's cursor still agrees.
    """

    def __init__(
        self,
        ledger: Ledger,
        broker: Celery,
        *,
        opener: SourceOpener,
        batch_pictures: int,
        batches_in_flight: int,
    ) -> None:
        self._ledger = ledger
        self._broker = broker
        self._opener = opener
        self._batch_pictures = batch_pictures
        self._batches_in_flight = batches_in_flight
        self._listings: dict[str, tuple[str | None, Iterator[Listed]]] = {}
        self._lock = Lock()

    def plan(self, job_id: str) -> None:
        """One step: plan and send batches while there is room. Doing it twice does no harm."""
        try:
            state = self._ledger.plan_state(job_id)
        except JobNotFound:
            _log.warning("job_record_gone", job_id=job_id)
            return
        if state.listed or state.final:
            self._listings.pop(job_id, None)
            return
        try:
            self._plan_while_room(job_id, state)
        except SourceError as error:
            _log.warning("source_failed", job_id=job_id, code=error.code, detail=error.detail)
            self._ledger.end_listing(job_id, JobError(code=error.code, detail=error.detail))

    def batch_ended(self, job_id: str) -> None:
        """Ask for the next planning step once half of the room is free again."""
        try:
            state = self._ledger.plan_state(job_id)
        except JobNotFound:
            return
        if not (state.listed or state.final) and state.in_flight <= self._batches_in_flight // 2:
            send(self._broker, PlanJob(job_id=job_id))

    def _plan_while_room(self, job_id: str, state: PlanState) -> None:
        listing = self._take_listing(job_id, state.cursor)
        cursor = state.cursor
        while state.in_flight < self._batches_in_flight:
            found = list(islice(listing, self._batch_pictures))
            if not found:
                self._ledger.end_listing(job_id)
                return
            cursor = found[-1].cursor
            batch = _batch(state, found)
            if not self._ledger.plan_batch(job_id, batch, cursor):
                return  # Another planner was first; it goes on from here.
            send(self._broker, IndexBatch(job_id=job_id, batch_id=batch.id))
            state = self._ledger.plan_state(job_id)
            if state.final or state.cursor != cursor:
                return
        with self._lock:
            self._listings[job_id] = (cursor, listing)

    def _take_listing(self, job_id: str, cursor: str | None) -> Iterator[Listed]:
        with self._lock:
            kept = self._listings.pop(job_id, None)
        if kept is not None and kept[0] == cursor:
            return kept[1]
        return self._opener.open(self._ledger.job(job_id)).list(cursor)


def _batch(state: PlanState, found: list[Listed]) -> Batch:
    items = tuple(
        Item(number=number, **dict(listed.ref)) for number, listed in enumerate(found, state.next_number)
    )
    return Batch(id=str(state.next_batch), items=items)
