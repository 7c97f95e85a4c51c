"""Searches under a filter: whether to walk the graph at all, and how thoroughly.

The engine compares all that match where few do, and walks the graph where many do, by its own estimate. For
places that is the number of points in the geo cells which the area touches. Where all pictures come from one
city, it takes a strip with one in a hundred for the whole; and a graph of which a hundredth may be stepped on
leads nowhere. So matches by place are counted.

Where the graph is walked, a filter takes steps out of it, most of all for a query whose own surroundings do
not match; so more candidates are kept.
"""

import math
from collections.abc import Callable

from sightline.index.clauses import Clause, Either, Every, HasId, Never, WithinArea, WithinCircle
from sightline.index.tuning import FILTERED_EF_FACTOR, SCANNED_POINTS


def few_places_match(clause: Clause | None, count: Callable[[Clause], int]) -> bool:
    """Whether a clause asks for places, and matches so few points that all of them should be compared."""
    return clause is not None and _asks_for_places(clause) and count(clause) <= SCANNED_POINTS


def candidates(ef: int, clause: Clause | None) -> int:
    """How many candidates to keep where `ef` are kept without a filter; to leave points out is none."""
    match clause:
        case None | Never(HasId()):
            return ef
        case _:
            return math.ceil(FILTERED_EF_FACTOR * ef)


def _asks_for_places(clause: Clause) -> bool:
    match clause:
        case WithinCircle() | WithinArea():
            return True
        case Every(clauses) | Either(clauses):
            return any(_asks_for_places(inner) for inner in clauses)
        case Never(inner):
            return _asks_for_places(inner)
        case _:
            return False
