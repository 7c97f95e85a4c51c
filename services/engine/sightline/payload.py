"""What every point carries beside its vector, and which of it is indexed."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_TAGS = 100
MAX_TAG_CHARACTERS = 256
MAX_METADATA_BYTES = 64 << 10
"""Of one picture's metadata, as JSON in UTF-8."""


UNKNOWN_FORMAT = "unknown"


class FieldType(StrEnum):
    """The types a payload index can have."""

    KEYWORD = "keyword"
    INTEGER = "integer"
    FLOAT = "float"
    DATETIME = "datetime"
    BOOL = "bool"
    GEO = "geo"
    """A place: an object of `lat` and `lon` in degrees."""


ExifField = Literal["camera", "gps"]
"""Facts in a picture's EXIF block that its point carries only where settings ask for them."""


class GeoPoint(BaseModel):
    """A place in degrees (WGS 84), in the form that geo indexes of Qdrant take."""

    model_config = ConfigDict(frozen=True)

    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]


class Source(BaseModel):
    """One place a picture was found in; a point keeps one entry per distinct `uri`."""

    model_config = ConfigDict(frozen=True)

    kind: str
    uri: str
    modified_at: datetime | None = None


class FirstIndexed(BaseModel):
    """The job, the source and the item that made a point, so that a batch done twice reports the same.

    `item` is the number of the item in its job, where a source may lie more than once; None in points of
    imports, and of versions that kept none.
    """

    model_config = ConfigDict(frozen=True)

    job: str
    source: Annotated[str, Field(description="key of the source in `sources`")]
    item: Annotated[int | None, Field(ge=0, lt=1 << 53)] = None


class Payload(BaseModel):
    """The payload of a point.

    `sources` is an object keyed by the hash of each source, so that concurrent writers each set
    their own key and lose nothing. Times are timezone-aware; `width` and `height` are pixels of the
    upright picture; `bytes` is the size of the original file. `camera` and `location` are None unless
    settings ask for them and the picture says them. `perceptual_hash` is hexadecimal digits, of how the
    picture looks. `auto_tags` are those of SIGHTLINE_AUTO_TAGS that it shows. `encoded_from` is
    `thumbnail` where a migration found no original to encode.

    Of a picture whose bytes nobody read, because only its vector was imported, `sha256` and `bytes` are None,
    `format` is UNKNOWN_FORMAT, and `width` and `height` are None unless its source said them.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str | None
    space: str
    model: str
    numerics: str
    encoded_from: Literal["thumbnail"] | None = None
    format: str
    width: int | None
    height: int | None
    bytes: int | None
    taken_at: datetime | None = None
    camera: str | None = None
    location: GeoPoint | None = None
    perceptual_hash: str | None = None
    indexed_at: datetime
    sort_at: datetime
    tags: tuple[str, ...] = ()
    auto_tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    sources: dict[str, Source] = Field(default_factory=dict)
    first_indexed: FirstIndexed


INDEXED_FIELDS: dict[str, FieldType] = {
    "sha256": FieldType.KEYWORD,
    "space": FieldType.KEYWORD,
    "tags": FieldType.KEYWORD,
    "auto_tags": FieldType.KEYWORD,
    "encoded_from": FieldType.KEYWORD,
    "format": FieldType.KEYWORD,
    "width": FieldType.INTEGER,
    "height": FieldType.INTEGER,
    "bytes": FieldType.INTEGER,
    "taken_at": FieldType.DATETIME,
    "camera": FieldType.KEYWORD,
    "location": FieldType.GEO,
    "indexed_at": FieldType.DATETIME,
    "sort_at": FieldType.DATETIME,
}


def indexed_fields(metadata_fields: dict[str, FieldType]) -> dict[str, FieldType]:
    """All indexed fields of a collection: the fixed ones and `metadata.<name>` as declared."""
    return INDEXED_FIELDS | {f"metadata.{name}": kind for name, kind in metadata_fields.items()}
