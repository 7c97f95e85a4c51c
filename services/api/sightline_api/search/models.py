"""What searches take and give."""

import json
from typing import Annotated, Any, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Strict,
    StrictBool,
    Tag,
    WithJsonSchema,
    model_validator,
)

from sightline.index.filters import Filter
from sightline.likeness import Alike
from sightline.pictures.box import Box
from sightline.settings import CollectionName
from sightline_api.http.base64_picture import Base64Picture
from sightline_api.http.example_values import IMAGE_ID, PICTURE_BASE64, TREE_JSON
from sightline_api.images import Image

MAX_PARTS = 32
_BOX_NUMBERS = 4
MAX_TEXT_CHARACTERS = 10_000
MAX_DEPTH = 1_000
"""Hits that paging reaches."""


def _box(value: Any) -> Any:
    """A Box of four numbers; a Box stays as it is."""
    if isinstance(value, Box):
        return value
    numbers = isinstance(value, list | tuple) and all(
        isinstance(one, int | float) and not isinstance(one, bool) for one in value
    )
    if not numbers or len(value) != _BOX_NUMBERS:
        raise ValueError("a box is a list of four numbers: left, top, right and bottom")
    return Box(*value)


Weight = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
Limit = Annotated[int, Field(ge=1, le=200, examples=[20])]
BoxOfPicture = Annotated[
    Box,
    BeforeValidator(_box),
    PlainSerializer(lambda box: [box.left, box.top, box.right, box.bottom], return_type=list[float]),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "number", "minimum": 0, "maximum": 1},
            "minItems": 4,
            "maxItems": 4,
            "description": "left, top, right and bottom as fractions of the upright picture",
        }
    ),
]
Strategy: TypeAlias = Literal["sum", "best_score"]
MinRelevance = Annotated[
    float | None, Field(ge=0, le=1, description="leave hits of less relevance out", examples=[0.5])
]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)]


Lang = Annotated[
    str | None,
    Field(
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        description="language of the text, as `de` or `pt-BR`; without it, it is detected",
        examples=["en"],
    ),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: Annotated[Weight, Strict()] = 1.0


class TextPart(_Part):
    """Pictures that show what a text says."""

    text: Text
    lang: Lang = None


class ImageIdPart(_Part):
    """Pictures like a stored one, or like what its box shows."""

    image_id: UUID
    box: BoxOfPicture | None = None


class ImageBytesPart(_Part):
    """Pictures like one that comes with the request, or like what its box shows."""

    image_base64: Base64Picture
    box: BoxOfPicture | None = None


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
                },
                {
                    "query": [
                        {"image_id": IMAGE_ID, "box": [0.1, 0.1, 0.6, 0.9]},
                        {"text": "a teapot", "weight": 0.5},
                    ],
                    "filter": json.loads(TREE_JSON),
                    "min_relevance": 0.5,
                    "explain": True,
                },
                {"query": [{"image_base64": PICTURE_BASE64}], "diversity": 0.5, "exact": True},
                {
                    "query": [{"image_id": IMAGE_ID}, {"text": "a cat"}, {"text": "a dog", "weight": -1}],
                    "strategy": "best_score",
                },
            ]
        },
    )

    query: Annotated[list[Part], Field(min_length=1, max_length=MAX_PARTS)]
    filter: Filter | None = None
    limit: Annotated[Limit, Strict()] = 20
    cursor: str | None = None
    min_relevance: Annotated[MinRelevance, Strict()] = None
    strategy: Annotated[
        Strategy,
        Field(
            description="`sum`: near the weighted sum of the parts. `best_score`: near any of the positive "
            "parts, and nearer to it than to any negative one; weights count by their sign alone"
        ),
    ] = "sum"
    diversity: Annotated[
        float, Strict(), Field(ge=0, le=1, description="how much hits that are like better ones stand behind")
    ] = 0.0
    collapse: Annotated[
        Literal["none"] | Alike,
        Field(description="show the best alone of hits that are duplicates, and count the others"),
    ] = "none"
    explain: Annotated[StrictBool, Field(description="say what each part of the query has in each hit")] = (
        False
    )
    exact: Annotated[StrictBool, Field(description="compare with every vector, past the index")] = False
    collection: CollectionName | None = None

    @model_validator(mode="after")
    def _fits_its_strategy(self) -> Self:
        if self.strategy == "best_score":
            if self.diversity:
                raise ValueError("diversity goes with the strategy sum")
            if not any(part.weight > 0 for part in self.query):
                raise ValueError("the strategy best_score needs a part with a weight above 0")
        return self


class PartScore(BaseModel):
    """What one part of the query has in a hit: `score` is the cosine of the two alone.

    `contribution` is `weight` x `score` over the length of the parts' weighted sum; those of a hit add up
    to its score.
    """

    score: float
    weight: float
    contribution: float


class Hit(BaseModel):
    """One result; `score` is the cosine of its vector with the query's (with the strategy best_score: with
    the nearest positive part, or minus that with the nearest negative one where it is nearer).

    `relevance`, from 0 to 1, says how sure one can be that it is what the query asked for: the score
    read against those of the collection's other pictures. From 0.5 on it stands out. `parts`, in the order
    of the query's, if the request said `explain`.
    """

    image: Image
    score: float
    relevance: float
    hidden: Annotated[
        int, Field(description="duplicates that stand behind it, if the request collapses them")
    ] = 0
    parts: list[PartScore] | None = None


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

    code: Literal["text_truncated", "box_from_thumbnail", "lang_without_effect"]
    detail: str


class SearchResponse(BaseModel):
    """Hits, best first. `no_good_match`: nothing in the collection (under the filter) stands out."""

    hits: list[Hit]
    no_good_match: bool
    next_cursor: str | None
    took_ms: Took
    warnings: list[QueryWarning]
    model: ModelInUse
