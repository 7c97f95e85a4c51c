"""The next item of an iterator is made while the one before it is worked on."""

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")


@contextmanager
def prefetched(items: Generator[_T, None, None]) -> Iterator[Iterator[_T]]:
    """The items, made one ahead in a thread, in which the generator is closed after the block has ended.

    What making an item raises is raised where that item would have come.
    """
    thread = ThreadPoolExecutor(1, "prefetcher")
    try:
        yield _each(items, thread)
    finally:
        thread.submit(copy_context().run, items.close)
        # Not waited for: a collection of garbage may end the block, and be made in this very thread.
        thread.shutdown(wait=False)


def _each(items: Iterator[_T], thread: ThreadPoolExecutor) -> Iterator[_T]:
    def begin() -> "Future[list[_T]]":
        return thread.submit(copy_context().run, _next, items)

    coming = begin()
    while item := coming.result():
        coming = begin()
        yield item[0]


def _next(items: Iterator[_T]) -> list[_T]:
    """The next item, alone in a list; an empty list at the end."""
    return list(islice(items, 1))
