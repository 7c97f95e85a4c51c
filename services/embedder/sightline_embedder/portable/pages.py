"""What imports are made of, whatever their format: pages of points, each with what of it cannot be used."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sightline.errors import BadPicture
from sightline.index import CollectionSpec, Point
from sightline.queue.sources import PictureRef


@dataclass(frozen=True)
class PointsPage:
    """Points in the order of their rows, thumbnails by point id, and rows that are left out.

    Reading goes on after `cursor`.
    """

    cursor: str
    points: Sequence[Point]
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)
    failed: Sequence[tuple[PictureRef, BadPicture]] = ()


class PointsReader(Protocol):
    """The points of one import. Every method raises SourceError for files that cannot be imported at all."""

    def spec(self, collection: str) -> CollectionSpec:
        """What the collection has to be; raises SourceError for vectors of another space than ours."""

    def pages(self, after: str | None) -> Generator[PointsPage, None, None]:
        """The pages after a cursor, always the same."""
