"""Exports and uploads that nobody waits for go, and nothing that somebody asks for at that moment."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from redis import Redis

from sightline.portable.discarding import discard_stale
from sightline.portable.places import PortablePlaces
from sightline.queue.jobs import JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import PointsSource

ASKED_FOR, FORGOTTEN = "a" * 32, "b" * 32


class AskedForMeanwhile(Ledger):
    """A ledger in which an import of old files is recorded right after somebody read which jobs there are."""

    def __init__(self, redis: Redis, places: PortablePlaces) -> None:
        super().__init__(redis, timedelta(days=1))
        self._places = places

    def active(self) -> Sequence[str]:
        found = super().active()
        self._places.keep_upload(ASKED_FOR)
        self.create(JobRequest(collection="images", source=PointsSource(upload=ASKED_FOR)))
        return found


def test_files_that_an_import_asks_for_while_they_are_judged_stay(redis: Redis, tmp_path: Path) -> None:
    places = PortablePlaces(tmp_path)
    asked_for, forgotten = places.upload(ASKED_FOR), places.upload(FORGOTTEN)
    for folder in (asked_for, forgotten):
        folder.mkdir(parents=True)
        os.utime(folder, (0, 0))

    discard_stale(places, AskedForMeanwhile(redis, places))

    assert [folder.exists() for folder in (asked_for, forgotten)] == [True, False]
