"""Which of some labels a picture shows, without training for them."""

from functools import partial
from typing import Annotated, Self
from uuid import UUID

import anyio.to_thread
import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sightline.served import Served
from sightline.settings import CollectionName
from sightline_api.gateway import GatewayDep
from sightline_api.http.access import READ, CallerDep
from sightline_api.http.base64_picture import Base64Picture
from sightline_api.http.bounded_routes import BoundedRoute
from sightline_api.http.example_values import IMAGE_ID, PICTURE_BASE64
from sightline_api.http.parameters import chosen_collection
from sightline_api.search.languages import ENGLISH, UNDETERMINED, is_english
from sightline_api.search.models import ImageIdPart, Lang, Text
from sightline_api.search.query_model import QueryModel
from sightline_api.search.text_vectors import TextInLanguage

router = APIRouter(prefix="/v1", tags=["search"], route_class=BoundedRoute, dependencies=[READ])

MAX_LABELS = 1_000


class ClassifyRequest(BaseModel):
    """A picture, stored or sent along, and what it may show; `template` has one `{}` for the label."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"image_id": IMAGE_ID, "labels": ["a cat", "a cup of coffee", "a rocket"]},
                {"image_base64": PICTURE_BASE64, "labels": ["red", "blue"], "template": "a {} wall"},
            ]
        },
    )

    image_id: UUID | None = None
    image_base64: Base64Picture | None = None
    labels: Annotated[list[Text], Field(min_length=1, max_length=MAX_LABELS)]
    template: Annotated[str, Field(pattern=r"^[^{}]*\{\}[^{}]*$", max_length=200)] = "{}"
    lang: Lang = None
    collection: CollectionName | None = None

    @model_validator(mode="after")
    def _has_one_picture(self) -> Self:
        if (self.image_id is None) == (self.image_base64 is None):
            raise ValueError("a picture is named by one of image_id and image_base64")
        return self


class LabelScore(BaseModel):
    """How well a label fits: the cosine, and its probability among these labels alone."""

    label: str
    probability: float
    cosine: float


class Classification(BaseModel):
    """The labels, the likeliest first. Probabilities add up to 1, also where none of them fits."""

    labels: list[LabelScore]
    model: str


@router.post("/classify")
async def classify(gateway: GatewayDep, caller: CallerDep, body: ClassifyRequest) -> Classification:
    """Compare a picture with labels: a softmax over their cosines."""
    collection = chosen_collection(gateway, caller, body.collection)
    classified = partial(gateway.with_served, collection, partial(_classify, body))
    return await anyio.to_thread.run_sync(classified)


def _classify(body: ClassifyRequest, served: Served[QueryModel]) -> Classification:
    model = served.model
    picture = _picture_vector(served, body)
    texts = [TextInLanguage(body.template.replace("{}", label), _language(body)) for label in body.labels]
    vectors = model.texts.of_many(texts)
    cosines = np.stack([vectors[text] for text in texts]) @ picture
    logits = model.encoder.manifest.logit_scale * cosines
    odds = np.exp(logits - logits.max())
    probabilities = odds / odds.sum()
    return Classification(
        labels=[
            LabelScore(
                label=body.labels[place],
                probability=float(probabilities[place]),
                cosine=float(cosines[place]),
            )
            for place in np.argsort(-cosines, kind="stable")
        ],
        model=model.encoder.manifest.name,
    )


def _language(body: ClassifyRequest) -> str:
    """One for all labels, so that one tower reads them: cosines of two would not compare."""
    return body.lang or (ENGLISH if is_english(", ".join(body.labels)) else UNDETERMINED)


def _picture_vector(served: Served[QueryModel], body: ClassifyRequest) -> NDArray[np.float32]:
    pictures = served.model.pictures
    if body.image_base64 is not None:
        return pictures.of_bytes(body.image_base64).vector
    assert body.image_id is not None
    part = ImageIdPart(image_id=body.image_id)
    point = pictures.stored_points(served.version, [part])[str(body.image_id)]
    return pictures.of_stored(served.version, part, point).vector
