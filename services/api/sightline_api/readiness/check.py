"""One check of a dependency: a call that returns when all is well, and what it means when it does not."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Stops(StrEnum):
    """What a dependency that fails puts a stop to."""

    SEARCH = "search"
    INGEST = "ingest"
    RESTART = "restart"
    """Everything goes on, until the gateway has to be started again."""


class NotWell(Exception):
    """A check failed; `str()` is a sentence that says how."""


@dataclass(frozen=True)
class Check:
    """`call` raises NotWell or a SightlineError; `remedy` says what an operator can do then.

    `by_way_of` names the check of a service that this one asks: while that one does not answer, this one
    cannot tell. `slow` checks may take longer than somebody waits; they count as they last ended.
    """

    name: str
    stops: Stops
    call: Callable[[], object]
    remedy: str
    by_way_of: str | None = None
    slow: bool = False


@dataclass(frozen=True)
class Finding:
    """What a check has found; `fault` is None where all is well."""

    check: Check
    fault: str | None
