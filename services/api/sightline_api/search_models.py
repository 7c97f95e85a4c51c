"""What searches take and give."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from sightline.index.filters import Filter
from sightline.settings import CollectionName
from sightline_api.base64_picture import Base64Picture
from sightline_api.images import Image

MAX_PARTS = 32
MAX_TEXT_CHARACTERS = 10_000
MAX_DEPTH = 1_000
"""Hits that paging reaches."""

Weight = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
Limit = Annotated[int, Field(ge=1, le=200)]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: Weight = 1.0


class TextPart(_Part):
    """Pictures that show what a text says."""

    text: Text


class ImageIdPart(_Part):
    """Pictures like a stored one."""

    image_id: UUID


class ImageBytesPart(_Part):
    """Pictures like one that comes with the request."""

    image_base64: Base64Picture


def _kind(part: object) -> str | None:
    names = part if isinstance(part, dict) else type(part).model_fields if isinstance(part, _Part) else ()
    return next((name for name in ("text", "image_id", "image_base64") if name in names), None)


Part = Annotated[
    Annotated[TextPart, Tag("text")]
    | Annotated[ImageIdPart, Tag("image_id")]
    | Annotated[ImageBytesPart, Tag("image_base64")],
    Discriminator(
        _kind,
        custom_error_type="part_kind",
        custom_error_message="a part has one of text, image_id and image_base64",
    ),
]


class SearchRequest(BaseModel):
    """A composed query."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "query": [{"text": "a red bicycle"}, {"text": "people", "weight": -0.5}],
                    "filter": {"field": "format", "eq": "jpeg"},
                    "limit": 5,
                }
            ]
        },
    )

    query: Annotated[list[Part], Field(min_length=1, max_length=MAX_PARTS)]
    filter: Filter | None = None
    limit: Limit = 20
    cursor: str | None = None
    exact: bool = False
    collection: CollectionName | None = None


class Hit(BaseModel):
    """One result; `score` is the cosine of its vector with the query's."""

    image: Image
    score: float


class Took(BaseModel):
    """Milliseconds spent."""

    encode: float
    index: float
    total: float


class ModelInUse(BaseModel):
    """The model that encoded the query."""

    name: str
    space: str


class QueryWarning(BaseModel):
    """Something the caller should know about an answer that is right as far as it goes."""

    code: Literal["text_truncated"]
    detail: str


class SearchResponse(BaseModel):
    """Hits, best first."""

    hits: list[Hit]
    next_cursor: str | None
    took_ms: Took
    warnings: list[QueryWarning]
    model: ModelInUse
