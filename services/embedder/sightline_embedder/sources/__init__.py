"""Sources list the pictures of a job, lazily and in an order that can be taken up again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sightline.queue.sources import PictureRef


@dataclass(frozen=True)
class Listed:
    """One picture found; listing goes on after `cursor`."""

    ref: PictureRef
    cursor: str


class Source(Protocol):
    """A place that pictures come from."""

    def list(self, after: str | None) -> Iterator[Listed]:
        """Every picture after the cursor `after` (None: from the start), always in the same order.

        What the place holds that cannot be used, as a file that leads out of it, is listed as refused.
        Raises SourceError when the place as a whole cannot be listed, and Unavailable when a service
        that keeps pictures does not answer.
        """
