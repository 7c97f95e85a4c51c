"""Planning: list a job's source lazily, and keep a bounded number of its batches in flight."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain

import structlog
from celery import Celery

from sightline.errors import (
    JobNotFound,
    MigrationRefused,
    ModelError,
    SpaceMismatch,
    StorageFull,
    Unavailable,
)
from sightline.queue.broker import send
from sightline.queue.jobs import PLANNING, Batch, BatchOutcome, Failure, JobError, PlanState
from sightline.queue.ledger import Ledger
from sightline.queue.messages import IndexBatch, PlanJob
from sightline.queue.planning import PlanningLeases
from sightline.queue.sources import DuplicatesSource, Item, MigrationSource
from sightline_embedder.duplicates.scan import DuplicateScan
from sightline_embedder.errors import DownloadPutOff, JobOver, PlannedElsewhere, SourceError
from sightline_embedder.migrating.plan import MigrationPlan
from sightline_embedder.open_steps import OpenSteps
from sightline_embedder.patience import FULL_DISK_PATIENCE_S, Patience
from sightline_embedder.portable.jobs import PortableSteps
from sightline_embedder.put_off import PutOffJobs
from sightline_embedder.recording import follows_folder
from sightline_embedder.sources.opening import SourceOpener
from sightline_embedder.steps import Step, batch_steps
from sightline_embedder.syncing import FolderSync

_log = structlog.get_logger(__name__)

PLANNING_S = 10.0
"""Planning that takes longer goes on with another message, so that others get their turn."""

MAX_STARTS = 3
"""Planning that was started this often and got no further ends its job."""


class PlanningFailed(Exception):
    """Planning failed by a defect and should be tried again."""


class Planner:
    """Plans batches until the source ends or enough are in flight.

    Planning goes on from the cursor in the ledger, so that a planner that dies costs nothing. The steps
    of a job are kept while it waits for room, and used again where the ledger's cursor still agrees.

    A start that records no step and does not end well, be it by a defect of ours or because the process died,
    counts against the job. After MAX_STARTS in a row the job fails as `internal`; what was planned goes in.
    """

    def __init__(
        self,
        ledger: Ledger,
        broker: Celery,
        leases: PlanningLeases,
        *,
        opener: SourceOpener,
        sync: FolderSync,
        scan: DuplicateScan,
        migrations: MigrationPlan,
        portable: PortableSteps,
        batch_pictures: int,
        batches_in_flight: int,
        planning_s: float = PLANNING_S,
        full_disk_patience_s: float = FULL_DISK_PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._broker = broker
        self._leases = leases
        self._opener = opener
        self._sync = sync
        self._scan = scan
        self._migrations = migrations
        self._portable = portable
        self._batch_pictures = batch_pictures
        self._batches_in_flight = batches_in_flight
        self._planning_s = planning_s
        self._patience = Patience(full_disk_patience_s)
        self._clock = clock
        self._open_steps = OpenSteps()
        self._put_off = PutOffJobs(opener.turns, self._ask_for_planning)
        self._under_way: set[str] = set()

    def plan(self, job_id: str) -> None:
        """Plan and send batches while there is room, unless somebody does so now, who looks again then.

        Doing it twice does no harm. Raises Unavailable, SpaceMismatch and ModelError as the steps do, and
        PlanningFailed on a defect: all of them mean again, later.
        """
        self._drop_steps_of_ended_jobs()
        with self._leases.held(job_id) as is_ours:
            if not is_ours:
                return
            goes_on = self._plan(job_id)
        # Only now, or whoever takes the message would be refused.
        if self._leases.was_asked_for(job_id) or goes_on:
            self._ask_for_planning(job_id)

    def give_back_starts(self) -> None:
        """Take back the starts that are under way: this process is told to end, and may not see them end.

        Raises Unavailable.
        """
        for job_id in self._under_way.copy():
            self._ledger.release(job_id, PLANNING)

    def batch_ended(self, job_id: str) -> None:
        """Ask for the next planning step once half of the room is free again."""
        try:
            state = self._ledger.plan_state(job_id)
        except JobNotFound:
            return
        if state.final or state.listed:
            self._open_steps.drop(job_id)
            return
        self._open_steps.drop_unless_at(job_id, state.cursor)
        if state.in_flight <= self._batches_in_flight // 2:
            send(self._broker, PlanJob(job_id=job_id, origin=state.origin))

    def _plan(self, job_id: str) -> bool:
        """Plan alone; whether there is more to do at once."""
        try:
            state = self._ledger.plan_state(job_id)
        except JobNotFound:
            _log.warning("job_record_gone", job_id=job_id)
            return False
        if state.listed or state.final:
            self._open_steps.drop(job_id)
            return False
        start = self._ledger.start_planning(job_id)
        if start is None:
            return False  # It has ended meanwhile.
        if start.starts > MAX_STARTS:
            self._give_up(job_id, start.defect)
            return False
        self._under_way.add(job_id)
        try:
            goes_on = self._attempt(job_id, state)
        finally:
            self._under_way.discard(job_id)
        self._ledger.release(job_id, PLANNING)
        return goes_on

    def _attempt(self, job_id: str, state: PlanState) -> bool:
        """Plan on; whether there is more to do at once. The start is taken back where a fault may pass."""
        goes_on = False
        try:
            goes_on = self._plan_while_room(job_id, state)
        except SourceError as error:
            _log.warning("source_failed", job_id=job_id, code=error.code, detail=error.detail)
            self._ledger.end_listing(job_id, JobError(code=error.code, detail=error.detail))
        except MigrationRefused as error:
            # Paused or aborted at this moment: whoever resumes it sends another message.
            _log.info("migration_held_up", job_id=job_id, detail=str(error))
        except DownloadPutOff:
            self._put_off.add(job_id)
        except (PlannedElsewhere, JobOver) as error:
            _log.info("planning_ended", job_id=job_id, detail=str(error))
        except StorageFull as error:
            # An archive is copied while it is listed.
            if not self._patience.is_over(job_id):
                self._ledger.release(job_id, PLANNING)
                raise
            self._ledger.stop(job_id, JobError(code="storage_full", detail=str(error)))
        except (Unavailable, SpaceMismatch, ModelError):
            self._ledger.release(job_id, PLANNING)
            raise
        except Exception as error:
            defect = f"{type(error).__name__}: {error}"
            self._ledger.note_defect(job_id, PLANNING, defect)
            _log.exception("planning_failed", job_id=job_id)
            raise PlanningFailed(defect) from error
        else:
            self._patience.renew(job_id)
        return goes_on

    def _give_up(self, job_id: str, defect: str | None) -> None:
        _log.error("planning_given_up", job_id=job_id, starts=MAX_STARTS, defect=defect)
        self._open_steps.drop(job_id)
        self._ledger.end_listing(job_id, JobError(code="internal", detail=_given_up(defect)))

    def _plan_while_room(self, job_id: str, state: PlanState) -> bool:
        source = self._ledger.job(job_id).request.source
        began = self._clock()
        until: float | None = None
        steps = self._open_steps.take(job_id, state.cursor) or self._steps(job_id, state.cursor)
        while state.in_flight < self._batches_in_flight:
            if isinstance(source, MigrationSource) and self._migrations.is_held_up(source):
                break
            step = next(steps, None)
            until = self._end_of_turn(began) if until is None else until
            if step is None:
                self._ledger.end_listing(job_id)
                return False
            if step.alone and state.in_flight:
                steps = chain([step], steps)
                break
            following = self._plan_step(job_id, state, step)
            if following is None:
                return False  # The job has ended, or another planner was first.
            state = following
            if self._clock() >= until:
                break
        self._open_steps.keep(job_id, state.cursor, steps)
        return until is not None and self._clock() >= until

    def _end_of_turn(self, began: float) -> float:
        """When to let others plan, now that the first step is there.

        A turn lasts at least as long as it took to get there: an archive may have been downloaded, or a scan
        gone through again up to where another embedder was. Half of a job's time at most goes into that.
        """
        now = self._clock()
        return now + max(self._planning_s, now - began)

    def _ask_for_planning(self, job_id: str) -> None:
        try:
            state = self._ledger.plan_state(job_id)
        except JobNotFound:
            return
        if not (state.final or state.listed):
            send(self._broker, PlanJob(job_id=job_id, origin=state.origin))

    def _plan_step(self, job_id: str, state: PlanState, step: Step) -> PlanState | None:
        """Record a step and send its batch; where planning stands then, None if others go on from here."""
        batch = _batch(state, step)
        done = _done(state.next_number + len(batch.items), step)
        if not self._ledger.plan_batch(job_id, batch, step.cursor, done=done):
            return None
        if batch.items:
            send(self._broker, IndexBatch(job_id=job_id, batch_id=batch.id, origin=state.origin))
        following = self._ledger.plan_state(job_id)
        return None if following.final or following.cursor != step.cursor else following

    def _drop_steps_of_ended_jobs(self) -> None:
        """Let go of what jobs kept open that have ended at other embedders."""
        held = self._open_steps.jobs()
        if held:
            for job_id in held - set(self._ledger.active()):
                self._open_steps.drop(job_id)

    def _steps(self, job_id: str, cursor: str | None) -> Iterator[Step]:
        job = self._ledger.job(job_id)
        if isinstance(job.request.source, DuplicatesSource):
            return self._scan.steps(job, job.request.source, cursor)
        if isinstance(job.request.source, MigrationSource):
            return self._migrations.steps(job, job.request.source, cursor)
        steps = self._portable(job, cursor)
        if steps is not None:
            return steps
        source = self._opener.open(job)
        folder = follows_folder(job)
        if folder is not None:
            return self._sync.steps(job, folder, source, cursor)
        return batch_steps(source.list(cursor), self._batch_pictures)


def _given_up(defect: str | None) -> str:
    last = "" if defect is None else f" (the last time with {defect})"
    return (
        f"Listing the source of this job ended the embedder or failed {MAX_STARTS} times in a row{last}. "
        f"The embedder's log has the details; start the job again when the cause is mended."
    )


def _done(number: int, step: Step) -> BatchOutcome:
    """What became of pictures as they were listed; those that failed are numbered from `number` on."""
    now = datetime.now(UTC)
    failures = tuple(
        Failure(
            item=Item(number=one, **dict(ref)), reason=error.reason, detail=error.detail, attempts=1, at=now
        )
        for one, (ref, error) in enumerate(step.failed, number)
    )
    return BatchOutcome(
        indexed=step.indexed, unchanged=step.unchanged, canceled=step.canceled, failures=failures
    )


def _batch(state: PlanState, step: Step) -> Batch:
    items = tuple(Item(number=number, **dict(ref)) for number, ref in enumerate(step.refs, state.next_number))
    return Batch(id=str(state.next_batch), items=items)
