"""The image resource: a point as the API shows it."""

from datetime import datetime
from typing import Any, Self
from urllib.parse import urlencode

from pydantic import BaseModel

from sightline.index import ScoredPoint, StoredPoint
from sightline.payload import GeoPoint, Source


class ImageModel(BaseModel):
    """The model that made the picture's vector."""

    name: str
    space: str
    numerics: str


class Image(BaseModel):
    """A picture in a collection; width and height are those of the upright original.

    Camera and location are null unless SIGHTLINE_EXIF_FIELDS asks for them and the picture says them.
    """

    id: str
    sha256: str
    sources: list[Source]
    tags: list[str]
    metadata: dict[str, Any]
    format: str
    width: int
    height: int
    bytes: int
    taken_at: datetime | None
    camera: str | None
    location: GeoPoint | None
    indexed_at: datetime
    thumbnail_url: str
    original_url: str
    model: ImageModel

    @classmethod
    def of(cls, point: StoredPoint | ScoredPoint, collection: str) -> Self:
        """The resource of a point."""
        payload = point.payload
        query = urlencode({"collection": collection})
        return cls(
            id=point.id,
            sources=list(payload.sources.values()),
            tags=list(payload.tags),
            thumbnail_url=f"/v1/images/{point.id}/thumbnail?{query}",
            original_url=f"/v1/images/{point.id}/original?{query}",
            model=ImageModel(name=payload.model, space=payload.space, numerics=payload.numerics),
            **payload.model_dump(
                include={
                    "sha256", "metadata", "format", "width", "height", "bytes", "taken_at", "camera",
                    "location", "indexed_at",
                }
            ),
        )  # fmt: skip
