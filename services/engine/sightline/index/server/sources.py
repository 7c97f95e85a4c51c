"""Sources of points on a Qdrant server, where a single update is atomic and no sequence of them is."""

from collections.abc import Collection, Mapping
from uuid import uuid4

from sightline.index.clauses import Every, HasId, Match
from sightline.index.server.points import QdrantPoints
from sightline.payload import Source

_ORPHANED = "orphaned"
"""Payload field of a point that looked as if it had no source left: who saw it, as a random text."""


class ServerSources:
    """Adds and removes sources so that nobody's last one is lost.

    No filter of the server's asks for an object without entries, so a point cannot be deleted on the
    condition that it has no source. Whoever wants to delete one marks it with a text of its own first,
    looks at its sources again, and deletes it on the condition that the mark still stands; and whoever
    adds a source takes off any mark afterwards. If the source came before the second look, that look
    finds it. If it came later, either its writer takes the mark off in time, or the point is deleted
    before the writer is done and reads it back. A mark that stays behind means nothing: no two are equal.
    """

    def __init__(self, points: QdrantPoints) -> None:
        self._points = points

    def add(self, collection: str, sources: Mapping[str, Mapping[str, Source]]) -> None:
        """Add sources, by point id and key, to the points that are there."""
        added = {
            point_id: {key: source.model_dump(mode="json") for key, source in new.items()}
            for point_id, new in sources.items()
        }
        self._points.merge_payload(collection, added, key="sources")
        self._points.remove_payload(collection, dict.fromkeys(added, (_ORPHANED,)))

    def remove(self, collection: str, sources: Mapping[str, Collection[str]]) -> set[str]:
        """Take sources off, by point id and key; delete points without any; which points are gone."""
        paths = {point_id: [f"sources.{key}" for key in keys] for point_id, keys in sources.items()}
        self._points.remove_payload(collection, paths)
        kept, bare = self._look(collection, paths)
        while bare:
            self._delete_bare(collection, bare)
            found, bare = self._look(collection, bare)
            kept |= found
        return paths.keys() - kept

    def _delete_bare(self, collection: str, ids: Collection[str]) -> None:
        mark = uuid4().hex
        self._points.merge_payload(collection, {one: {_ORPHANED: mark} for one in ids})
        _, still_bare = self._look(collection, ids)
        if still_bare:
            marked = Match(_ORPHANED, (mark,))
            self._points.delete_matching(collection, Every((HasId(tuple(still_bare)), marked)))

    def _look(self, collection: str, ids: Collection[str]) -> tuple[set[str], set[str]]:
        """Those of the points that have sources, and those that have none."""
        found = self._points.retrieve(collection, list(ids), with_vectors=False)
        kept = {record.id for record in found if record.payload.get("sources")}
        return kept, {record.id for record in found} - kept
