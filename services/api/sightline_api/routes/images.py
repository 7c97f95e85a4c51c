"""Stored pictures: look, browse, describe, delete."""

from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from sightline.errors import ImageNotFound, NotFound
from sightline.identity import point_id
from sightline.index import SortKey, StoredPoint
from sightline.settings import CollectionName
from sightline_api.gateway import Gateway, GatewayDep
from sightline_api.http.access import READ, WRITE, CallerDep
from sightline_api.http.bounded_routes import BoundedRoute, HoldsOriginal
from sightline_api.http.cursors import make_cursor, read_cursor
from sightline_api.http.example_values import IMAGE_SHA256
from sightline_api.http.parameters import CollectionDep, Cursor, FilterDep, ImageId, chosen_collection
from sightline_api.http.response_in_pieces import response_in_pieces
from sightline_api.images import Image
from sightline_api.ingest.picture_details import Metadata, Tags
from sightline_api.originals import CONTENT_TYPES, UNKNOWN_TYPE, file_name, web_original
from sightline_api.search.models import ImageIdPart, Limit, MinRelevance, SearchResponse
from sightline_api.search.searching import search_parts

router = APIRouter(prefix="/v1/images", tags=["images"], route_class=BoundedRoute)

_BYTES = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
_THUMBNAIL: dict[int | str, dict[str, Any]] = {
    200: {"description": "The picture small, as WebP.", "content": {"image/webp": _BYTES}},
    304: {"description": "The one in hand, of the `ETag` that `If-None-Match` names, is still right."},
}
_ORIGINAL: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The bytes of the picture.",
        "content": dict.fromkeys(sorted({*CONTENT_TYPES.values(), UNKNOWN_TYPE}), _BYTES),
    },
    307: {"description": "To where on the web the picture came from."},
}
# A picture's bytes never change under its id, so its thumbnail never does.
_IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class KnownRequest(BaseModel):
    """Hashes of pictures that a client is about to upload."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"sha256": [IMAGE_SHA256, "0" * 64]}]}
    )

    sha256: Annotated[list[Sha256], Field(max_length=10_000)]
    collection: CollectionName | None = None


class KnownResponse(BaseModel):
    """Those that are indexed already, with their ids."""

    known: dict[str, str]


class ImageChange(BaseModel):
    """What to replace of a picture's description; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"tags": ["holiday", "beach"], "metadata": {"sku": "A-17"}}]},
    )

    tags: Tags | None = None
    metadata: Metadata | None = None


class ImageList(BaseModel):
    """A page of pictures in order of time."""

    items: list[Image]
    next_cursor: str | None


@router.get("", dependencies=[READ])
def browse_images(
    gateway: GatewayDep,
    collection: CollectionDep,
    filter: FilterDep,
    sort: SortKey = "-sort_at",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ImageList:
    """Pictures in order of time; `sort_at` is the time taken, else the file's, else of indexing."""
    request = ["images", collection, sort, filter.model_dump(mode="json") if filter else None]
    position = str(read_cursor(cursor, request)) if cursor else None
    page = gateway.index.browse(collection, sort=sort, limit=limit, cursor=position, filter=filter)
    return ImageList(
        items=[Image.of(point, collection) for point in page.points],
        next_cursor=make_cursor(page.next_cursor, request) if page.next_cursor else None,
    )


@router.post("/known", dependencies=[READ])
def known_images(gateway: GatewayDep, caller: CallerDep, body: KnownRequest) -> KnownResponse:
    """Which of these pictures are indexed already, so that a client need not upload them."""
    collection = chosen_collection(gateway, caller, body.collection)
    ids = {sha256: point_id(sha256) for sha256 in body.sha256}
    found = gateway.index.retrieve(collection, list(ids.values()))
    return KnownResponse(known={sha256: one for sha256, one in ids.items() if one in found})


@router.get("/{image_id:uuid}", dependencies=[READ])
def get_image(gateway: GatewayDep, collection: CollectionDep, image_id: ImageId) -> Image:
    """One picture."""
    return Image.of(_point(gateway, collection, image_id), collection)


@router.patch("/{image_id:uuid}", dependencies=[WRITE])
def change_image(
    gateway: GatewayDep, collection: CollectionDep, image_id: ImageId, body: ImageChange
) -> Image:
    """Replace the tags of a picture, or its metadata, or both."""
    given = {"tags": body.tags, "metadata": body.metadata}
    if changes := {name: value for name, value in given.items() if value is not None}:
        gateway.writer.set_payload(collection, str(image_id), changes)
    return Image.of(_point(gateway, collection, image_id), collection)


@router.delete("/{image_id:uuid}", dependencies=[WRITE], status_code=HTTPStatus.NO_CONTENT)
def delete_image(gateway: GatewayDep, collection: CollectionDep, image_id: ImageId) -> None:
    """Forget a picture: its point, thumbnail and uploaded copy. Files in folders are not touched.

    A batch that has it in hand at this moment takes it back too.
    """
    point = _point(gateway, collection, image_id)
    gateway.deletions.record(collection, [point.id])
    gateway.ledger.await_replicas()
    # The point last: as long as it is there, a deletion that broke off can be asked for again.
    gateway.media.delete(collection, point.id, point.payload.sha256)
    gateway.writer.delete(collection, [point.id])


@router.get("/{image_id:uuid}/thumbnail", dependencies=[READ], response_class=Response, responses=_THUMBNAIL)
def get_thumbnail(
    gateway: GatewayDep, collection: CollectionDep, image_id: ImageId, request: Request
) -> Response:
    """The picture small, as WebP."""
    etag = f'"{image_id}"'
    headers = {"ETag": etag} | _IMMUTABLE
    if request.headers.get("If-None-Match") == etag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    data = gateway.media.read_thumbnail(collection, str(image_id))
    return Response(data, media_type="image/webp", headers=headers)


@router.get(
    "/{image_id:uuid}/original",
    dependencies=[READ, HoldsOriginal],
    response_class=Response,
    responses=_ORIGINAL,
)
def get_original(gateway: GatewayDep, collection: CollectionDep, image_id: ImageId) -> Response:
    """The bytes the picture was indexed from; of a picture from the web, a redirect to where it was."""
    point = _point(gateway, collection, image_id)
    try:
        data = gateway.originals.read(collection, point)
    except NotFound:
        url = web_original(point)
        if url is None:
            raise
        # The page it came from is nobody's business there.
        return RedirectResponse(url, HTTPStatus.TEMPORARY_REDIRECT, {"Referrer-Policy": "no-referrer"})
    named = {"Content-Disposition": f"inline; filename*=UTF-8''{quote(file_name(point), safe='')}"}
    content_type = CONTENT_TYPES.get(point.payload.format, UNKNOWN_TYPE)
    return response_in_pieces(data, content_type, named | _IMMUTABLE)


@router.get("/{image_id:uuid}/similar", dependencies=[READ])
def similar_images(
    gateway: GatewayDep,
    collection: CollectionDep,
    filter: FilterDep,
    image_id: ImageId,
    limit: Limit = 20,
    min_relevance: MinRelevance = None,
    cursor: Cursor = None,
) -> SearchResponse:
    """Pictures like this one, without itself; needs no encoding."""
    part = ImageIdPart(image_id=image_id)
    return search_parts(
        gateway,
        [part],
        limit=limit,
        cursor=cursor,
        filter=filter,
        min_relevance=min_relevance,
        collection=collection,
    )


def _point(gateway: Gateway, collection: str, image_id: UUID) -> StoredPoint:
    points = gateway.index.retrieve(collection, [str(image_id)])
    if str(image_id) not in points:
        raise ImageNotFound(collection, str(image_id))
    return points[str(image_id)]
