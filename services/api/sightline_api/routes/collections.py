"""Collections: what there is, and what administrators make, delete and optimize."""

from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from sightline.errors import CollectionNotFound, ModelError
from sightline.index import CollectionInfo, CollectionSpec
from sightline.index.checks import missing_fields
from sightline.payload import FieldType, indexed_fields
from sightline.settings import CollectionName, Quantization
from sightline_api.dropping import drop_collection
from sightline_api.gateway import Gateway, GatewayDep
from sightline_api.http.access import ADMIN, READ, CallerDep
from sightline_api.http.audit import audit
from sightline_api.http.bounded_routes import BoundedRoute
from sightline_api.http.example_values import NAMED_COLLECTION
from sightline_api.http.problems import ApiError

router = APIRouter(prefix="/v1/collections", tags=["collections"], route_class=BoundedRoute)

MAX_METADATA_FIELDS = 64
_METADATA = "metadata."

MetadataField = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,3}$")]
Name = Annotated[CollectionName, Path(description="the name of a collection", examples=[NAMED_COLLECTION])]


class CollectionRequest(BaseModel):
    """A collection to be made. Metadata that is to be filtered by is declared, best before pictures come in.

    `SIGHTLINE_METADATA_FIELDS` are declared for every collection. `model` is that of the gateway.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": NAMED_COLLECTION},
                {
                    "name": "products",
                    "quantization": "int8",
                    "metadata_fields": {"sku": "keyword", "price": "float"},
                },
            ]
        },
    )

    name: CollectionName
    model: Annotated[
        str | None, Field(description="name or space of the model that `SIGHTLINE_MODEL` names")
    ] = None
    quantization: Annotated[
        Quantization | None, Field(description="left out: `SIGHTLINE_QUANTIZATION`, also when that changes")
    ] = None
    metadata_fields: Annotated[dict[MetadataField, FieldType], Field(max_length=MAX_METADATA_FIELDS)] = {}


class PlacementResource(BaseModel):
    """Shards and replicas of a collection; `note` says what of them is not as the settings say.

    `read_fan_out_factor` is null where the server decides by how busy its nodes are.
    """

    shards: int | None
    replication_factor: int | None
    write_consistency_factor: int | None
    read_fan_out_factor: int | None
    note: str | None

    @classmethod
    def of(cls, info: CollectionInfo) -> Self | None:
        """The resource of a collection's placement, if it has one."""
        held = info.placement
        return None if held is None else cls(**asdict(held), note=info.placement_note)


class CollectionResource(BaseModel):
    """A collection; `indexed` of its `points` are in HNSW, the others are searched one by one.

    `model` is null where its vectors are of a model that this gateway does not have, `quantization` where it
    follows the settings, and `placement` where no Qdrant server keeps it.
    """

    name: str
    model: str | None
    space: str
    dimension: int
    quantization: Quantization | None
    metadata_fields: dict[str, FieldType]
    points: int
    indexed: int
    placement: PlacementResource | None

    @classmethod
    def of(cls, info: CollectionInfo, gateway: Gateway) -> Self:
        """The resource of a collection."""
        return cls(
            name=info.name,
            model=_model_name(gateway, info.space),
            space=info.space,
            dimension=info.dimension,
            quantization=info.quantization,
            metadata_fields={
                field.removeprefix(_METADATA): kind
                for field, kind in sorted(info.fields.items())
                if field.startswith(_METADATA)
            },
            points=info.points,
            indexed=info.indexed,
            placement=PlacementResource.of(info),
        )


class CollectionList(BaseModel):
    """The collections that the key may use, by name."""

    items: list[CollectionResource]
    next_cursor: None = None


@router.get("", dependencies=[READ])
def list_collections(gateway: GatewayDep, caller: CallerDep) -> CollectionList:
    """The collections that the key may use, by name."""
    found = [info for info in gateway.index.collections() if caller.may_use(info.name)]
    return CollectionList(items=[CollectionResource.of(info, gateway) for info in found])


@router.post("", status_code=HTTPStatus.CREATED, dependencies=[ADMIN])
def make_collection(
    gateway: GatewayDep, caller: CallerDep, body: CollectionRequest, response: Response
) -> CollectionResource:
    """Make an empty collection. Others are made, as the settings say, when pictures first go into them."""
    _check_new(gateway, body)
    info = gateway.index.ensure_collection(_spec(gateway, body))
    audit(caller, "collection_made", collection=body.name)
    response.headers["Location"] = f"/v1/collections/{body.name}"
    return CollectionResource.of(info, gateway)


@router.get("/{name}", dependencies=[READ])
def get_collection(gateway: GatewayDep, caller: CallerDep, name: Name) -> CollectionResource:
    """One collection."""
    return CollectionResource.of(gateway.index.collection(caller.check(name)), gateway)


@router.delete("/{name}", status_code=HTTPStatus.NO_CONTENT, dependencies=[ADMIN])
async def delete_collection(
    gateway: GatewayDep,
    caller: CallerDep,
    name: Name,
    force: Annotated[bool, Query(description="cancel its jobs first", examples=[True])] = False,
) -> None:
    """Delete a collection with its points, uploads and thumbnails. Files in folders are not touched.

    While jobs of it are under way that is refused, unless `force` cancels them.
    """
    begun = partial(audit, caller, "collection_deleted", collection=name, force=force)
    await drop_collection(gateway, name, force=force, begun=begun)


@router.post("/{name}/optimize", status_code=HTTPStatus.ACCEPTED, dependencies=[ADMIN])
def optimize_collection(gateway: GatewayDep, caller: CallerDep, name: Name) -> CollectionResource:
    """Have all points taken into HNSW, beside all other work; `indexed` tells how far it is.

    The embedded index does so by itself when enough of them have come together, and a Qdrant server always.
    """
    gateway.index.optimize(name)
    audit(caller, "collection_optimized", collection=name)
    return CollectionResource.of(gateway.index.collection(name), gateway)


def _model_name(gateway: Gateway, space: str) -> str | None:
    try:
        return gateway.models.artifact_of(space).manifest.name
    except ModelError:
        return None


def _check_new(gateway: Gateway, body: CollectionRequest) -> None:
    manifest = gateway.models.default.artifact.manifest
    if body.model not in (None, manifest.name, manifest.space):
        detail = (
            f"Model '{body.model}' is not in use here; '{manifest.name}' is. Leave `model` out, or name that."
        )
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "model_not_in_use", detail)
    missing_fields(body.name, indexed_fields(gateway.settings.metadata_fields), _declared(body))
    gateway.drops.check(body.name)
    try:
        gateway.index.collection(body.name)
    except CollectionNotFound:
        return
    detail = f"There is a collection '{body.name}' already. Delete it first, or choose another name."
    raise ApiError(HTTPStatus.CONFLICT, "collection_exists", detail)


def _spec(gateway: Gateway, body: CollectionRequest) -> CollectionSpec:
    spec = gateway.collection_spec(body.name)
    fields = {**spec.fields, **_declared(body)}
    return CollectionSpec(spec.name, spec.space, spec.dimension, fields, body.quantization)


def _declared(body: CollectionRequest) -> dict[str, FieldType]:
    return {f"{_METADATA}{field}": kind for field, kind in body.metadata_fields.items()}
