"""Exports and uploads that nobody waits for any more go."""

from contextlib import suppress

from sightline.errors import JobNotFound
from sightline.portable.places import PortablePlaces
from sightline.queue.jobs import JobState
from sightline.queue.ledger import Ledger
from sightline.queue.sources import PointsSource


def discard_stale(places: PortablePlaces, ledger: Ledger) -> None:
    """Delete the exports of jobs that are forgotten, failed or canceled, and uploads of long ago that no job
    waits for.

    Raises Unavailable, and StorageFull, as the places and the ledger do.
    """
    for folder in places.exports():
        if _is_stale(folder.name, ledger):
            places.forget(folder)
    if old := places.old_uploads():
        awaited = _awaited_uploads(ledger)
        for folder in old:
            # Whoever asks for an upload makes it new before that is recorded: it may have become so since.
            if folder.name not in awaited and places.is_old_upload(folder):
                places.forget(folder)


def _awaited_uploads(ledger: Ledger) -> set[str]:
    """The uploads that jobs which have not ended import."""
    awaited = set()
    for job_id in ledger.active():
        with suppress(JobNotFound):
            source = ledger.job(job_id).request.source
            if isinstance(source, PointsSource) and source.upload is not None:
                awaited.add(source.upload)
    return awaited


def _is_stale(job_id: str, ledger: Ledger) -> bool:
    try:
        state = ledger.job(job_id).state
    except JobNotFound:
        return True
    return state.final and state is not JobState.SUCCEEDED
