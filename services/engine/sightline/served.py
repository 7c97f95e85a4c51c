"""Where the points of a collection are, and the model that made their vectors."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sightline.encoder.registry import ModelRegistry
from sightline.errors import CollectionNotFound, SpaceMismatch
from sightline.index import CollectionSpec, VectorIndex
from sightline.queue.migrations import Migrations

KEPT_S = 1.0
"""How long what is known of a collection is taken for granted: a switch is seen after this at the latest."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Served(Generic[_T]):
    """A collection as it is now: its version, the space of its vectors, and what there is of their model.

    `uid` tells the version from one of the same name that was there before.
    """

    name: str
    version: str
    space: str
    model: _T
    uid: str = ""


class ServedCollections(Generic[_T]):
    """Tells what collections are served from, and with what. Safe to use from several threads.

    All that one request does with a collection goes by one answer, so that the query's vectors, the points
    and what is said of the model belong together, whatever is switched meanwhile.
    """

    def __init__(self, index: VectorIndex, models: ModelRegistry[_T], kept_s: float = KEPT_S) -> None:
        self._index = index
        self._models = models
        self._kept_s = kept_s
        self._kept: dict[str, tuple[float, Served[_T]]] = {}

    def of(self, name: str, *, anew: bool = False) -> Served[_T]:
        """A collection as it is now, or was a second ago, unless `anew`.

        Raises CollectionNotFound, ModelError if its model is not here, and Unavailable.
        """
        until, held = self._kept.get(name, (0.0, None))
        if held is not None and not anew and time.monotonic() < until:
            return held
        asked_at = time.monotonic()
        try:
            info = self._index.collection(name, counted=False)
        except CollectionNotFound:
            self._kept.pop(name, None)
            raise
        model = self._models.get(info.space, info.precision)
        served = Served(name, info.version, info.space, model, info.uid)
        self._kept[name] = (asked_at + self._kept_s, served)
        return served

    def forget(self, name: str) -> None:
        """Ask anew the next time."""
        self._kept.pop(name, None)

    def ensure(self, spec: CollectionSpec) -> Served[_T]:
        """A collection as it is now, made as `spec` says if it is not there, with the fields that `spec` has.

        One that is there keeps its model, whatever that of `spec`. Raises as VectorIndex does otherwise.
        """
        try:
            self._index.ensure_collection(self._as_held(spec))
        except SpaceMismatch:
            # It was switched to another model between the look and the call.
            self._index.ensure_collection(self._as_held(spec))
        return self.of(spec.name, anew=True)

    def _as_held(self, spec: CollectionSpec) -> CollectionSpec:
        """`spec` with the model of the collection that is there, if one is."""
        try:
            info = self._index.collection(spec.name, counted=False)
        except CollectionNotFound:
            return spec
        return CollectionSpec(spec.name, info.space, info.dimension, spec.fields)


class VersionsWritten:
    """The versions that a collection's points are written to: one, or two while there is a migration."""

    def __init__(self, migrations: Migrations) -> None:
        self._migrations = migrations

    def __call__(self, collection: str) -> Sequence[str]:
        """The live one first; without a migration the collection's own name. Raises Unavailable."""
        migration = self._migrations.of(collection)
        if migration is None:
            return (collection,)
        return (migration.live,) if migration.twin is None else (migration.live, migration.twin)
