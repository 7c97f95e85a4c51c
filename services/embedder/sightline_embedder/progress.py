"""When an embedder last got on with something: a message was taken or finished, or a download went on."""

import time
from collections.abc import Callable
from typing import TypeAlias

OnProgress: TypeAlias = Callable[[], None]
"""Is told that something went on. Called from several threads."""


class Progress:
    """When it started and, as `at`, the last progress, if any; Unix times in seconds.

    `fault` is what kept the model of new collections from encoding the last time, if no picture did. Safe to
    use from several threads.
    """

    def __init__(self) -> None:
        self.started = time.time()
        self.at: float | None = None
        self.fault: str | None = None

    def note(self) -> None:
        """Something went on."""
        self.at = time.time()


def no_progress() -> None:
    """Tell nobody."""
