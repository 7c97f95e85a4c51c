"""Recorded sources: the pictures that a request named one by one, kept in the ledger."""

from collections.abc import Iterator

from sightline.queue.ledger import Ledger
from sightline_embedder.sources import Listed

_PAGE = 200


class RecordedListing:
    """The references of a job in the ledger; the cursor is the place of the last one listed."""

    def __init__(self, ledger: Ledger, job_id: str) -> None:
        self._ledger = ledger
        self._job_id = job_id

    def list(self, after: str | None) -> Iterator[Listed]:
        """See Source."""
        start = 0 if after is None else int(after) + 1
        while page := self._ledger.refs(self._job_id, start, _PAGE):
            for place, ref in enumerate(page, start):
                yield Listed(ref, cursor=str(place))
            start += len(page)
