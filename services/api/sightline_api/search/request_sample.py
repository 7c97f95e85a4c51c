"""A few of the searches that people really made, as they asked for them."""

from random import random, randrange
from threading import Lock

from sightline_api.search.filter_length import is_long
from sightline_api.search.models import ImageBytesPart, SearchRequest

CAPACITY = 64
_REPLACING_SHARE = 1 / 8


class RequestSample:
    """Keeps searches of texts and stored pictures at random, in memory alone.

    Safe to use from several threads. Two models can be compared by them, which vectors of one would not do.
    Nothing of it is written down.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._kept: dict[str, list[SearchRequest]] = {}
        self._lock = Lock()

    def offer(self, collection: str, request: SearchRequest) -> None:
        """Keep this search, or not: none that brings a picture or a long filter along, and none twice."""
        if request.cursor is not None or any(isinstance(part, ImageBytesPart) for part in request.query):
            return
        if is_long(request.filter):
            return
        with self._lock:
            kept = self._kept.setdefault(collection, [])
            if request in kept:
                return
            if len(kept) < self._capacity:
                kept.append(request)
            elif random() < _REPLACING_SHARE:
                kept[randrange(self._capacity)] = request

    def forget(self, collection: str) -> None:
        """Keep none of a collection that is gone."""
        with self._lock:
            self._kept.pop(collection, None)

    def of(self, collection: str) -> list[SearchRequest]:
        """Those kept of a collection."""
        with self._lock:
            return list(self._kept.get(collection, ()))
