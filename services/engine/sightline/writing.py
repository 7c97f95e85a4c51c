"""Changes of points that are there, made wherever they are kept: a migration keeps a second copy."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from sightline.errors import CollectionNotFound, ImageNotFound
from sightline.index import VectorIndex
from sightline.payload import Source

Versions: TypeAlias = Callable[[str], Sequence[str]]
"""From a collection to all that its points are written to, the live one first: its own name, or versions."""


class PointWriter:
    """Changes points of a collection, and of the version that a migration builds beside it.

    A migration may begin while a change is made, so that it is asked for again afterwards: what it did not
    know of is changed too. Raises as VectorIndex does, and Unavailable if nobody can tell of migrations.
    """

    def __init__(self, index: VectorIndex, versions: Versions) -> None:
        self._index = index
        self._versions = versions

    def has_twin(self, collection: str) -> bool:
        """Whether a migration keeps a second version now."""
        return len(self._versions(collection)) > 1

    def add_sources(self, collection: str, sources: Mapping[str, Mapping[str, Source]]) -> None:
        """As VectorIndex does."""
        for version in self._live_and_twins(collection):
            with suppress(*version.may_lack):
                self._index.add_sources(version.name, sources)

    def remove_sources(self, collection: str, sources: Mapping[str, Collection[str]]) -> set[str]:
        """As VectorIndex does; which points are gone from the live version."""
        gone: set[str] = set()
        for version in self._live_and_twins(collection):
            with suppress(*version.may_lack):
                removed = self._index.remove_sources(version.name, sources)
                gone = gone if version.is_twin else removed
        return gone

    def set_payload(self, collection: str, point_id: str, values: Mapping[str, Any]) -> None:
        """As VectorIndex does; ImageNotFound if it is not in the live version."""
        for version in self._live_and_twins(collection):
            try:
                self._index.set_payload(version.name, point_id, values)
            except version.may_lack:
                continue
            except ImageNotFound as error:
                raise ImageNotFound(collection, point_id) from error

    def delete(self, collection: str, ids: Sequence[str]) -> None:
        """As VectorIndex does; from the live version last, by which callers see what is left to delete."""
        for version in self._live_and_twins(collection, live_last=True):
            with suppress(*version.may_lack):
                self._index.delete(version.name, ids)

    def _live_and_twins(self, collection: str, *, live_last: bool = False) -> Iterator["_Version"]:
        written: set[str] = set()
        live: str | None = None
        while missing := [one for one in self._versions(collection) if one not in written]:
            live = live or missing[0]
            for name in reversed(missing) if live_last else missing:
                yield _Version(name, is_twin=name != live)
                written.add(name)


class _Version:
    """Something to write to; a twin may lack a point, or be gone itself: its migration sees to that."""

    def __init__(self, name: str, *, is_twin: bool) -> None:
        self.name = name
        self.is_twin = is_twin
        self.may_lack: tuple[type[Exception], ...] = (CollectionNotFound, ImageNotFound) if is_twin else ()
