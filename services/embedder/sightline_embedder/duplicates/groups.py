"""From pairs of duplicates to groups of them."""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sightline.queue.duplicates import Pair


def groups_of(pairs: Iterable[Pair]) -> Sequence[Sequence[str]]:
    """The groups whose members are joined by pairs, directly or by way of others; the largest first."""
    joined = list(pairs)
    if not joined:
        return []
    ids = sorted({point_id for pair in joined for point_id in pair})
    places = {point_id: place for place, point_id in enumerate(ids)}
    rows, columns = (np.array([places[pair[end]] for pair in joined]) for end in (0, 1))
    links = coo_array((np.ones(len(joined), dtype=bool), (rows, columns)), shape=(len(ids), len(ids)))
    count, labels = connected_components(links, directed=False)
    groups: list[list[str]] = [[] for _ in range(count)]
    for point_id, label in zip(ids, labels, strict=True):
        groups[label].append(point_id)
    return sorted(groups, key=lambda group: (-len(group), group))
