"""A few of the searches that people really made, to be looked at later."""

from random import random, randrange
from threading import Lock
from typing import NamedTuple

from sightline.index import SearchQuery
from sightline_api.search.filter_length import is_long

CAPACITY = 64
REPLACING_SHARE = 1 / 16
"""Share of the searches that go into a full sample, each in the place of any other."""


class SampledQuery(NamedTuple):
    """A search as the index got it: a vector and a filter, no texts and no pictures.

    `collection` is the version that was searched.
    """

    collection: str
    query: SearchQuery


class QuerySample:
    """Keeps recent approximate searches at random. Safe to call from several threads.

    A full sample forgets at random too, so that it reaches back some thousand searches, and fewer and
    fewer of them the longer ago they were.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Keep at most so many; with 0 nothing is kept."""
        self._capacity = capacity
        self._kept: list[SampledQuery] = []
        self._lock = Lock()

    def offer(self, collection: str, query: SearchQuery) -> None:
        """Keep this search, or not; takes about a microsecond. Its vector may not be changed any more."""
        # A further page has the vector of its first one.
        if not self._capacity or query.exact or query.offset:
            return
        if len(self._kept) >= self._capacity and random() >= REPLACING_SHARE:
            return
        if is_long(query.filter):
            return
        with self._lock:
            if len(self._kept) >= self._capacity:
                self._kept[randrange(self._capacity)] = SampledQuery(collection, query)
            else:
                self._kept.append(SampledQuery(collection, query))

    def take(self) -> SampledQuery | None:
        """Any one of the searches, which is not kept any longer; None if there is none."""
        with self._lock:
            return self._kept.pop(randrange(len(self._kept))) if self._kept else None

    def __len__(self) -> int:
        """The number of searches kept."""
        return len(self._kept)
