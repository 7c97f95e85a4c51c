"""From pairs of duplicates to groups of them."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence

from sightline.queue.duplicates import Pair


def groups_of(pairs: Iterable[Pair]) -> Sequence[Sequence[str]]:
    """The groups whose members are joined by pairs, directly or by way of others; the largest first."""
    joined = _Joined()
    for first, second in pairs:
        joined.join(first, second)
    return joined.groups()


class _Joined:
    """Ids and what joins them (union-find): each id is held once, however many pairs name it.

    Ids have places, and each place a parent in the same group; a place without others above is its own.
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._parents = array("q")

    def join(self, first: str, second: str) -> None:
        """Put two ids into one group."""
        low, high = sorted((self._root(self._place(first)), self._root(self._place(second))))
        self._parents[high] = low

    def groups(self) -> Sequence[Sequence[str]]:
        """The ids by group, in order; the largest group first."""
        groups: defaultdict[int, list[str]] = defaultdict(list)
        for point_id in sorted(self._places):
            groups[self._root(self._places[point_id])].append(point_id)
        return sorted(groups.values(), key=lambda group: (-len(group), group))

    def _place(self, point_id: str) -> int:
        place = self._places.setdefault(point_id, len(self._parents))
        if place == len(self._parents):
            self._parents.append(place)
        return place

    def _root(self, place: int) -> int:
        parents = self._parents
        while (parent := parents[place]) != place:
            # Whoever comes next has half of the way to go, or chains would grow long.
            parents[place] = parents[parent]
            place = parents[place]
        return place
