"""The image resource: a point as the API shows it."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from sightline.index import ScoredPoint, StoredPoint
from sightline.payload import GeoPoint, Source


class ImageModel(BaseModel):
    """The model that made the picture's vector."""

    name: str
    space: str
    numerics: str
    encoded_from: Annotated[Literal["thumbnail"] | None, Field(description="null: the original")] = None


class Image(BaseModel):
    """A picture in a collection; width and height are those of the upright original.

    `sha256` and `bytes` are null, and `format` is `unknown`, where only a vector was imported and nobody read
    the picture; then `width` and `height` are null too unless its source said them.
    `sort_at` is the time taken, else the file's, else that of indexing. `auto_tags` are those of
    SIGHTLINE_AUTO_TAGS that it shows. Camera and location are null unless SIGHTLINE_EXIF_FIELDS asks for
    them and the picture says them.
    """

    id: str
    sha256: str | None
    sources: list[Source]
    tags: list[str]
    auto_tags: list[str]
    metadata: dict[str, Any]
    format: str
    width: int | None
    height: int | None
    bytes: int | None
    taken_at: datetime | None
    camera: str | None
    location: GeoPoint | None
    indexed_at: datetime
    sort_at: datetime
    thumbnail_url: str
    original_url: str
    model: ImageModel

    @classmethod
    def of(cls, point: StoredPoint | ScoredPoint, collection: str) -> Self:
        """The resource of a point."""
        payload = point.payload
        # Names of collections need no quoting.
        below = f"/v1/images/{point.id}"
        return cls(
            id=point.id,
            sha256=payload.sha256,
            sources=list(payload.sources.values()),
            tags=list(payload.tags),
            auto_tags=list(payload.auto_tags),
            metadata=payload.metadata,
            format=payload.format,
            width=payload.width,
            height=payload.height,
            bytes=payload.bytes,
            taken_at=payload.taken_at,
            camera=payload.camera,
            location=payload.location,
            indexed_at=payload.indexed_at,
            sort_at=payload.sort_at,
            thumbnail_url=f"{below}/thumbnail?collection={collection}",
            original_url=f"{below}/original?collection={collection}",
            model=ImageModel(
                name=payload.model,
                space=payload.space,
                numerics=payload.numerics,
                encoded_from=payload.encoded_from,
            ),
        )
