"""The service itself: its model, its size, whether it is alive and can serve."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from sightline.encoder.artifact import Checks, Multilingual, Preprocessing
from sightline.errors import SightlineError
from sightline_api.gateway import Gateway, GatewayDep
from sightline_api.http.access import RequireKey

router = APIRouter(tags=["service"])


class ModelResource(BaseModel):
    """The model in use. `notice` says what a user should know of it."""

    name: str
    revision: str
    space: str
    dimension: int
    numerics: str
    context_tokens: int
    license: str
    preprocessing: Preprocessing
    checks: Checks
    calibrated: Annotated[bool, Field(description="whether `relevance` was fitted for this model")]
    multilingual: Annotated[
        Multilingual | None, Field(description="its second text tower, for other languages than English")
    ]
    notice: str | None


class CollectionStats(BaseModel):
    """The size of one collection."""

    name: str
    points: int
    indexed: int
    space: str
    dimension: int


class Stats(BaseModel):
    """The size of everything."""

    collections: list[CollectionStats]
    active_jobs: int


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Dependency(BaseModel):
    """One thing the service needs; `detail` says what is wrong with it."""

    ready: bool
    detail: str | None = None


class Readiness(BaseModel):
    """Whether the service can serve, and per dependency why not."""

    ready: bool
    dependencies: dict[str, Dependency]


STARTER_NOTICE = (
    "This is `starter`, a small model for first steps: it knows about 1,000 kinds of things. "
    "Build clip-ViT-B-32 for real use: `sightline model build clip-ViT-B-32`."
)


@router.get("/v1/model", dependencies=[RequireKey])
def get_model(gateway: GatewayDep) -> ModelResource:
    """The model that encodes pictures and queries."""
    manifest = gateway.encoder.manifest
    return ModelResource(
        numerics=gateway.encoder.numerics,
        context_tokens=manifest.context_tokens,
        calibrated=manifest.calibration is not None,
        multilingual=manifest.multilingual,
        notice=STARTER_NOTICE if manifest.family == "starter" else None,
        **manifest.model_dump(
            include={"name", "revision", "space", "dimension", "license", "preprocessing", "checks"}
        ),
    )


@router.get("/v1/stats", dependencies=[RequireKey])
def get_stats(gateway: GatewayDep) -> Stats:
    """Points per collection and jobs under way."""
    return Stats(
        collections=[
            CollectionStats(**{field: getattr(one, field) for field in CollectionStats.model_fields})
            for one in gateway.index.collections()
        ],
        active_jobs=len(gateway.ledger.active()),
    )


@router.get("/healthz")
async def get_health() -> Alive:
    """Alive: the process answers. Says nothing about what it depends on."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Readiness}})
def get_readiness(gateway: GatewayDep, response: Response) -> Readiness:
    """Ready: searches and uploads will work."""
    dependencies = {
        "redis": _check(gateway.ledger.ping),
        "index": _check(gateway.index.ping),
        "collection": _check(lambda: _check_collection(gateway)),
    }
    ready = all(one.ready for one in dependencies.values())
    if not ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(ready=ready, dependencies=dependencies)


def _check(call: Callable[[], object]) -> Dependency:
    try:
        call()
    except SightlineError as error:
        return Dependency(ready=False, detail=str(error))
    return Dependency(ready=True)


def _check_collection(gateway: Gateway) -> None:
    gateway.index.ensure_collection(gateway.collection_spec(gateway.settings.collection))
