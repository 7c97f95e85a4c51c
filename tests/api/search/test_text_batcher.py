from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline_api.http.problems import ApiError
from sightline_api.search import text_batcher
from sightline_api.search.text_batcher import MOST_AT_ONCE, TextBatcher


class _Tower:
    """Encodes a text to its length and its first letter; each call waits until it is let through."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.called = Event()
        self.let_through = Event()
        self._inside = Lock()

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        assert self._inside.acquire(blocking=False), "two threads encode at once"
        try:
            self.calls.append(list(texts))
            self.called.set()
            assert self.let_through.wait(10)
            if "bad" in texts:
                raise ValueError("it cannot be encoded")
            return np.array([[len(text), ord(text[0])] for text in texts], dtype=np.float32)
        finally:
            self._inside.release()


@pytest.fixture
def tower() -> _Tower:
    return _Tower()


@pytest.fixture
def batcher(tower: _Tower) -> TextBatcher:
    return TextBatcher(tower)


def _ask_behind_a_first(
    pool: ThreadPoolExecutor, batcher: TextBatcher, tower: _Tower, *asked: list[str]
) -> list["Future[list[NDArray[np.float32]]]"]:
    """Ask for texts, in this order, while the encoder is busy with `first`, and let the encoder go on."""
    answers = [pool.submit(batcher.encode, ["first"])]
    assert tower.called.wait(10)
    for texts in asked:
        waiting = len(batcher._waiting)
        answers.append(pool.submit(batcher.encode, texts))
        while len(batcher._waiting) == waiting and not answers[-1].done():
            pass
    tower.let_through.set()
    return answers


def test_a_lone_text_is_encoded_at_once_by_the_thread_that_asks(batcher: TextBatcher, tower: _Tower) -> None:
    tower.let_through.set()

    (vector,) = batcher.encode(["cat"])

    np.testing.assert_array_equal(vector, [3, ord("c")])
    assert tower.calls == [["cat"]]


def test_nothing_asked_is_nothing_done(batcher: TextBatcher, tower: _Tower) -> None:
    assert batcher.encode([]) == []
    assert tower.calls == []


def test_texts_that_come_meanwhile_are_encoded_together(batcher: TextBatcher, tower: _Tower) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = _ask_behind_a_first(pool, batcher, tower, ["a"], ["bb", "ccc"], ["dddd"])
        lengths = [[int(vector[0]) for vector in answer.result(10)] for answer in answers]

    assert tower.calls == [["first"], ["a", "bb", "ccc", "dddd"]]
    assert lengths == [[5], [1], [2, 3], [4]]


def test_a_text_that_several_ask_for_is_encoded_once(batcher: TextBatcher, tower: _Tower) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = _ask_behind_a_first(pool, batcher, tower, ["same"], ["same"], ["other", "same"])
        last = [answer.result(10)[-1] for answer in answers[1:]]

    assert tower.calls[1:] == [["same", "other"]]
    for vector in last:
        np.testing.assert_array_equal(vector, [4, ord("s")])
    assert len({id(vector) for vector in last}) == 3


def test_a_batch_is_bounded_and_the_order_kept(batcher: TextBatcher, tower: _Tower) -> None:
    many = [f"text {number}" for number in range(MOST_AT_ONCE + 8)]

    with ThreadPoolExecutor(8) as pool:
        answers = _ask_behind_a_first(pool, batcher, tower, many, ["late"])
        for answer in answers:
            answer.result(10)

    assert tower.calls == [["first"], many[:MOST_AT_ONCE], [*many[MOST_AT_ONCE:], "late"]]


def test_a_text_that_cannot_be_encoded_costs_no_other(batcher: TextBatcher, tower: _Tower) -> None:
    with ThreadPoolExecutor(8) as pool:
        first, good, bad, also_good = _ask_behind_a_first(pool, batcher, tower, ["a"], ["bad"], ["b"])

        assert [int(answer.result(10)[0][0]) for answer in (first, good, also_good)] == [5, 1, 1]
        with pytest.raises(ValueError, match="cannot be encoded"):
            bad.result(10)

    tower.calls.clear()
    batcher.encode(["after"])
    assert tower.calls == [["after"]]


def test_more_than_may_wait_is_refused(
    batcher: TextBatcher, tower: _Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_batcher, "MOST_WAITING", 3)

    with ThreadPoolExecutor(8) as pool:
        *accepted, refused = _ask_behind_a_first(pool, batcher, tower, ["a", "b"], ["c"], ["d"])

        with pytest.raises(ApiError, match="3 texts wait") as refusal:
            refused.result(10)
        assert refusal.value.status == 429
        assert refusal.value.code == "overloaded"
        assert refusal.value.headers
        assert 1 <= int(refusal.value.headers["Retry-After"]) <= 3
        assert [len(answer.result(10)) for answer in accepted] == [1, 2, 1]


def test_many_threads_each_get_their_own_vectors(batcher: TextBatcher, tower: _Tower) -> None:
    tower.let_through.set()

    def ask(number: int) -> list[tuple[int, int]]:
        texts = [chr(97 + number % 26) * (1 + (number + place) % 9) for place in range(number % 4)]
        vectors = batcher.encode(texts)
        wanted = [(len(text), ord(text[0])) for text in texts]
        assert [(int(length), int(letter)) for length, letter in vectors] == wanted
        return wanted

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(2000)))

    assert len(answers) == 2000
    assert max(len(call) for call in tower.calls) <= MOST_AT_ONCE
