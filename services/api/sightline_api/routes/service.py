"""The service itself: its model, its size, whether it is alive and can serve."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from sightline.encoder.artifact import Checks, Multilingual, Preprocessing
from sightline.payload import FieldType
from sightline_api.gateway import Gateway, GatewayDep
from sightline_api.http.access import PUBLIC, READ, CallerDep
from sightline_api.http.bounded_routes import BoundedRoute
from sightline_api.http.callers import Caller
from sightline_api.readiness.resource import EmbedderResource, Readiness
from sightline_api.readiness.watch import ReadinessWatch

router = APIRouter(tags=["service"], route_class=BoundedRoute)


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
    """The size of one collection, and what its pictures can be filtered by."""

    name: str
    points: int
    indexed: int
    space: str
    dimension: int
    fields: Annotated[
        dict[str, FieldType], Field(description="the fields that filters accept, each with its type")
    ]


class Stats(BaseModel):
    """The size of everything."""

    collections: list[CollectionStats]
    default_collection: Annotated[str, Field(description="what a call without `collection` is about")]
    active_jobs: int
    embedders: Annotated[list[EmbedderResource], Field(description="those that are alive")]


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


STARTER_NOTICE = (
    "This is `starter`, a small model for first steps: it knows about 1,000 kinds of things. "
    "For real use start with SIGHTLINE_MODEL=clip-ViT-B-32; what is indexed follows with `sightline migrate`."
)


@router.get("/v1/model", dependencies=[READ])
def get_model(gateway: GatewayDep) -> ModelResource:
    """The model that encodes pictures and queries of the default collection."""
    encoder = gateway.model_in_use().encoder
    manifest = encoder.manifest
    return ModelResource(
        numerics=encoder.numerics,
        context_tokens=manifest.context_tokens,
        calibrated=manifest.calibration is not None,
        multilingual=manifest.multilingual,
        notice=STARTER_NOTICE if manifest.family == "starter" else None,
        **manifest.model_dump(
            include={"name", "revision", "space", "dimension", "license", "preprocessing", "checks"}
        ),
    )


@router.get("/v1/stats", dependencies=[READ])
def get_stats(gateway: GatewayDep, caller: CallerDep) -> Stats:
    """Points and fields per collection and jobs under way, of what the key may use; and who works on them."""
    return Stats(
        collections=[
            CollectionStats(**{field: getattr(one, field) for field in CollectionStats.model_fields})
            for one in gateway.index.collections()
            if caller.may_use(one.name)
        ],
        default_collection=gateway.settings.collection,
        active_jobs=_active_jobs(gateway, caller),
        embedders=[EmbedderResource.of(one) for one in gateway.embedders.crew().embedders],
    )


def _active_jobs(gateway: Gateway, caller: Caller) -> int:
    if caller.collections is None:
        return gateway.ledger.active_count()
    return sum(map(caller.may_use, gateway.ledger.active_collections().values()))


@router.get("/healthz", dependencies=[PUBLIC])
async def get_health() -> Alive:
    """Alive: the process answers. Says nothing about what it depends on."""
    return Alive()


async def _watch_of(request: Request) -> ReadinessWatch:
    watch: ReadinessWatch = request.app.state.watch
    return watch


_WatchDep = Annotated[ReadinessWatch, Depends(_watch_of)]


@router.get("/readyz", dependencies=[PUBLIC], responses={503: {"model": Readiness}})
async def get_readiness(watch: _WatchDep, response: Response) -> Readiness:
    """Ready: searches work. Degraded: something else does not, such as taking pictures in."""
    readiness = Readiness.of(await watch.look())
    if not readiness.ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return readiness
