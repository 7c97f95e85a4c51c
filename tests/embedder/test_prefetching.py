"""One item ahead: in order, no further, and ended with its block."""

from collections.abc import Generator
from itertools import islice
from threading import Event

import pytest
import structlog

from sightline_embedder.prefetching import prefetched

PATIENCE_S = 30


def test_all_items_come_in_order() -> None:
    with prefetched(number for number in range(100)) as items:
        assert list(items) == list(range(100))


def test_the_next_item_is_made_while_one_is_worked_on() -> None:
    made = [Event() for _ in range(4)]

    def items() -> Generator[int, None, None]:
        for number, event in enumerate(made):
            event.set()
            yield number

    with prefetched(items()) as each:
        assert next(each) == 0
        assert made[1].wait(PATIENCE_S)
        assert not made[2].is_set()


def test_what_an_item_raises_comes_in_its_place() -> None:
    def items() -> Generator[int, None, None]:
        yield 1
        raise ValueError("no second one")

    with prefetched(items()) as each:
        assert next(each) == 1
        with pytest.raises(ValueError, match="no second one"):
            next(each)


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_what_a_generator_holds_is_released_with_the_block(taken: int) -> None:
    began, released = Event(), Event()

    def items() -> Generator[int, None, None]:
        began.set()
        try:
            yield from range(2)
        finally:
            released.set()

    with prefetched(items()) as each:
        assert list(islice(each, taken)) == list(range(taken))
    assert began.is_set() == bool(taken)
    assert not taken or released.wait(PATIENCE_S)


def test_the_block_may_end_in_the_thread_that_makes_the_items() -> None:
    """As a collection of garbage ends it that happens to run there."""
    released = Event()

    def items() -> Generator[int, None, None]:
        try:
            yield 0
            steps.close()
            yield 1
        finally:
            released.set()

    def block() -> Generator[int, None, None]:
        with prefetched(items()) as each:
            yield from each

    steps = block()
    assert next(steps) == 0
    assert released.wait(PATIENCE_S)


def test_log_lines_of_the_thread_have_the_ids_of_its_caller() -> None:
    def items() -> Generator[object, None, None]:
        yield structlog.contextvars.get_contextvars().get("job_id")

    with structlog.contextvars.bound_contextvars(job_id="one"), prefetched(items()) as each:
        assert list(each) == ["one"]
