"""Vectors themselves, in the form of OpenAI's embeddings API."""

import base64
from functools import partial
from typing import Annotated, Literal

import anyio.to_thread
import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sightline.errors import NotFound
from sightline_api.gateway import Gateway, GatewayDep
from sightline_api.http.access import READ
from sightline_api.http.base64_picture import Base64Picture
from sightline_api.http.bounded_routes import BoundedRoute
from sightline_api.http.example_values import PICTURE_BASE64
from sightline_api.search.models import Text
from sightline_api.search.query_model import QueryModel
from sightline_api.search.text_vectors import TextInLanguage

router = APIRouter(prefix="/v1", tags=["embeddings"], route_class=BoundedRoute, dependencies=[READ])

MAX_INPUTS = 256


class ImageInput(BaseModel):
    """A picture to embed."""

    model_config = ConfigDict(extra="forbid")

    image_base64: Base64Picture


class EmbeddingsRequest(BaseModel):
    """Texts and pictures to embed; `model` may be left out, or must name the one in use."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"input": ["a cat", "a dog"]},
                {"input": ["a cat", {"image_base64": PICTURE_BASE64}], "encoding_format": "base64"},
            ]
        }
    )

    input: Text | Annotated[list[Text | ImageInput], Field(min_length=1, max_length=MAX_INPUTS)]
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"


class Embedding(BaseModel):
    """One vector: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsResponse(BaseModel):
    """One vector for each input, in order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str


@router.post("/embeddings")
async def embed(gateway: GatewayDep, body: EmbeddingsRequest) -> EmbeddingsResponse:
    """Unit vectors of texts and pictures, in one space."""
    return await anyio.to_thread.run_sync(partial(_embed, gateway, body))


def _embed(gateway: Gateway, body: EmbeddingsRequest) -> EmbeddingsResponse:
    model = _model(gateway, body.model)
    inputs = [body.input] if isinstance(body.input, str) else body.input
    texts = model.texts.of_many([TextInLanguage(one) for one in inputs if isinstance(one, str)])
    vectors = [
        model.pictures.of_bytes(one.image_base64).vector
        if isinstance(one, ImageInput)
        else texts[TextInLanguage(one)]
        for one in inputs
    ]
    return EmbeddingsResponse(
        data=[
            Embedding(index=place, embedding=_encoded(vector, body.encoding_format))
            for place, vector in enumerate(vectors)
        ],
        model=model.artifact.manifest.name,
    )


def _model(gateway: Gateway, named: str | None) -> QueryModel:
    """The model of the default collection, or the one named, if that or new collections are of it."""
    served = gateway.model_in_use()
    in_use = {one.artifact.manifest.name: one for one in (gateway.models.of_new_collections, served)}
    if named is None:
        return served
    if named not in in_use:
        raise NotFound(f"Model '{named}' is not in use here; '{served.artifact.manifest.name}' is.")
    return in_use[named]


def _encoded(vector: NDArray[np.float32], encoding: Literal["float", "base64"]) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    numbers: list[float] = vector.tolist()
    return numbers
