"""One download of an archive or a manifest at a time: two slow ones would take both places of an embedder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeAlias

from sightline_embedder.errors import DownloadPutOff

OnFree: TypeAlias = Callable[[], None]
"""Is told that a download has ended; must not raise."""


class DownloadTurns:
    """The turns of one embedder. Safe to use from several threads."""

    def __init__(self) -> None:
        self._taken = Lock()
        self._on_free: list[OnFree] = []

    @property
    def busy(self) -> bool:
        """Whether a download goes on."""
        return self._taken.locked()

    def tell(self, on_free: OnFree) -> None:
        """Tell somebody when the download that goes on has ended, each time."""
        self._on_free.append(on_free)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Alone with a download; raises DownloadPutOff, at once, where another one goes on."""
        if not self._taken.acquire(blocking=False):
            raise DownloadPutOff
        try:
            yield
        finally:
            self._taken.release()
            for on_free in self._on_free:
                on_free()
