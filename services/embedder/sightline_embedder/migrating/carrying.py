"""Points carried from one version of a collection to another: what they say stays, their vectors are new."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import ImageNotFound
from sightline.index import Point, StoredPoint, VectorIndex
from sightline.payload import Payload
from sightline_embedder.embedding import EmbeddingModel
from sightline_embedder.errors import PointsGone

_DESCRIPTION = ("tags", "metadata", "sort_at")
"""What people may change of a point; its sources are compared one by one."""
_MOST_ROUNDS = 20


def carried(
    point: StoredPoint,
    vector: NDArray[np.float32],
    model: EmbeddingModel,
    auto_tags: Sequence[str],
    *,
    from_thumbnail: bool = False,
) -> Point:
    """A point with the unit vector of another model, shape (dimension,)."""
    manifest = model.encoder.manifest
    changed = {
        "space": manifest.space,
        "model": manifest.name,
        "numerics": model.encoder.numerics,
        "encoded_from": "thumbnail" if from_thumbnail else None,
        "auto_tags": tuple(auto_tags),
    }
    return Point(point.id, vector, point.payload.model_copy(update=changed))


def settle(index: VectorIndex, live: str, twin: str, ids: Sequence[str]) -> set[str]:
    """Have points of `twin` say what those of `live` say, and be gone where those are; missing ones stay so.

    Others change both at the same time, each in its turn: so it is looked at again until nothing differs.
    Returns the ids of those that it changed. Raises PointsGone where that has no end.
    """
    changed: set[str] = set()
    for _ in range(_MOST_ROUNDS):
        said, held = index.retrieve(live, ids), index.retrieve(twin, ids)
        gone = sorted(held.keys() - said.keys())
        differing = [
            one for one in held.keys() & said.keys() if differs(said[one].payload, held[one].payload)
        ]
        if not gone and not differing:
            return changed
        changed |= {*gone, *differing}
        index.delete(twin, gone)
        for point_id in differing:
            _align(index, twin, point_id, said[point_id].payload, held[point_id].payload)
    raise PointsGone(len(ids))


def differs(said: Payload, held: Payload) -> bool:
    """Whether two points of one picture say different things of it."""
    return bool(_changes(said, held)) or said.sources != held.sources


def _changes(said: Payload, held: Payload) -> Mapping[str, Any]:
    return dict(_changed_fields(said, held))


def _changed_fields(said: Payload, held: Payload) -> Iterator[tuple[str, Any]]:
    for field in _DESCRIPTION:
        if getattr(said, field) != getattr(held, field):
            yield field, said.model_dump(mode="json", include={field})[field]


def _align(index: VectorIndex, twin: str, point_id: str, said: Payload, held: Payload) -> None:
    added = {key: one for key, one in said.sources.items() if held.sources.get(key) != one}
    if added:
        index.add_sources(twin, {point_id: added})
    removed = held.sources.keys() - said.sources.keys()
    if removed:
        index.remove_sources(twin, {point_id: removed})
    changes = _changes(said, held)
    if changes:
        try:
            index.set_payload(twin, point_id, changes)
        except ImageNotFound:
            return  # Deleted meanwhile, from both.
