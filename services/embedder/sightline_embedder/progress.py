"""When an embedder last got on with something: a message was taken or finished, or a download went on."""

import time
from collections.abc import Callable
from typing import TypeAlias

OnProgress: TypeAlias = Callable[[], None]
"""Is told that something went on. Called from several threads."""


class Progress:
    """The time of the last progress, as Unix time in seconds. Safe to use from several threads."""

    def __init__(self) -> None:
        self.at = time.time()

    def note(self) -> None:
        """Something went on."""
        self.at = time.time()


def no_progress() -> None:
    """Tell nobody."""
