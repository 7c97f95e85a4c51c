"""Samples of collections: those of the collections searched last are kept, and no more."""

from concurrent.futures import ThreadPoolExecutor
from threading import Lock, Semaphore
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline_api.search import backgrounds
from sightline_api.search.backgrounds import Backgrounds

VECTOR = np.array([1.0, 0.0], np.float32)


class Sampled:
    """An index of collections of a sample's size, which notes what was sampled."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def sample(self, collection: str, limit: int) -> NDArray[np.float32]:
        self.taken.append(collection)
        return np.tile(VECTOR, (limit, 1))

    def count(self, collection: str) -> int:
        return backgrounds.SAMPLE


def test_the_samples_of_the_collections_searched_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backgrounds, "MOST", 2)
    index: Any = Sampled()
    kept = Backgrounds(index)

    for collection in ("a", "b", "a", "c", "a", "b"):
        assert kept.of(collection, VECTOR).sampled == backgrounds.SAMPLE

    assert index.taken == ["a", "b", "c", "b"], "b was forgotten for c, and a was not"


def test_a_collection_that_took_the_name_of_another_gets_none_of_its_sample() -> None:
    index: Any = Sampled()
    kept = Backgrounds(index)

    for uid in ("first", "first", "second", "second"):
        kept.of("a.1", VECTOR, uid)

    assert index.taken == ["a.1", "a.1"]


class _Watched:
    """A lock that counts who has come for it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.came = Semaphore(0)
        self.release = self._lock.release

    def acquire(self, blocking: bool = True) -> bool:
        self.came.release()
        return self._lock.acquire(blocking)


def test_searches_that_wait_for_a_sample_take_none_of_their_own() -> None:
    taking = _Watched()

    class Slow(Sampled):
        def sample(self, collection: str, limit: int) -> NDArray[np.float32]:
            if not self.taken:
                assert all(taking.came.acquire(timeout=20) for _ in range(8))
            return super().sample(collection, limit)

    index: Any = Slow()
    kept = Backgrounds(index)
    kept._taking = taking  # type: ignore[assignment]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: kept.of("a", VECTOR).sampled, range(8)))

    assert found == [backgrounds.SAMPLE] * 8
    assert index.taken == ["a"]
