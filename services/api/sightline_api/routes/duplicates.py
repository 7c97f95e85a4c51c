"""Pictures that are duplicates of one another, found by scans of whole collections."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, ConfigDict, Field, Strict

from sightline.index import StoredPoint
from sightline.likeness import DuplicateKind
from sightline.queue.jobs import Job, JobRequest
from sightline.queue.sources import DuplicatesSource
from sightline.settings import CollectionName
from sightline_api.gateway import GatewayDep
from sightline_api.http.access import READ, WRITE, CallerDep
from sightline_api.http.bounded_routes import BoundedRoute
from sightline_api.http.cursors import make_cursor, read_number
from sightline_api.http.overload import Work
from sightline_api.http.parameters import CollectionDep, Cursor, WaitDep, chosen_collection
from sightline_api.images import Image
from sightline_api.ingest.admission import check_queue
from sightline_api.ingest.starting import job_answer, start_job
from sightline_api.jobs.resource import JobResource

router = APIRouter(prefix="/v1/duplicates", tags=["duplicates"], route_class=BoundedRoute)

SHOWN_OF_A_GROUP = 100


class ScanRequest(BaseModel):
    """What to look for. Lower `perceptual_bits` and higher `semantic_cosine` find fewer and surer ones."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"semantic_cosine": 0.97}]})

    collection: CollectionName | None = None
    perceptual_bits: Annotated[
        int,
        Strict(),
        Field(ge=0, le=96, description="of 256: how many may differ in the hashes of two copies"),
    ] = DuplicatesSource.model_fields["perceptual_bits"].default
    semantic_cosine: Annotated[
        float, Strict(), Field(ge=0.5, le=1, description="how near the vectors of two pictures must be")
    ] = DuplicatesSource.model_fields["semantic_cosine"].default


class DuplicateGroup(BaseModel):
    """Pictures that are duplicates of one another, the one of most pixels first.

    `size` is how many there were at the scan; of large groups the first 100 are shown. Files of the same
    bytes are one picture, whose `sources` they are.
    """

    size: int
    images: list[Image]

    @classmethod
    def of(cls, ids: Sequence[str], points: Sequence[StoredPoint], collection: str) -> Self:
        """The resource of a group whose pictures are still there."""
        best_first = sorted(points, key=_quality, reverse=True)
        return cls(size=len(ids), images=[Image.of(point, collection) for point in best_first])


class DuplicateGroups(BaseModel):
    """A page of the groups of the latest scan, the largest first; `computed_at` is null before the first.

    `groups_found` is how many the scan found. Pictures that were deleted since are left out, and groups
    that have less than two left.
    """

    kind: DuplicateKind
    computed_at: datetime | None
    groups_found: int
    items: list[DuplicateGroup]
    next_cursor: str | None


@router.post("/scan", status_code=HTTPStatus.ACCEPTED, dependencies=[WRITE])
async def scan_for_duplicates(
    gateway: GatewayDep,
    caller: CallerDep,
    wait_s: WaitDep,
    response: Response,
    body: Annotated[ScanRequest, Body(default_factory=ScanRequest)],
) -> JobResource:
    """Look for duplicates in a collection: 202 with the job, whose groups take the place of earlier ones."""

    def start() -> Job:
        check_queue(gateway)
        asked = DuplicatesSource(**body.model_dump(include={"perceptual_bits", "semantic_cosine"}))
        collection = chosen_collection(gateway, caller, body.collection)
        return start_job(gateway, JobRequest(collection=collection, source=asked))

    job = await gateway.bounds.run(Work.QUEUE, start)
    return await job_answer(gateway, job, wait_s, response)


@router.get("", dependencies=[READ])
def list_duplicates(
    gateway: GatewayDep,
    collection: CollectionDep,
    kind: DuplicateKind = DuplicateKind.PERCEPTUAL,
    limit: Annotated[int, Query(ge=1, le=100, examples=[20])] = 20,
    cursor: Cursor = None,
) -> DuplicateGroups:
    """The groups that the latest scan found: `exact` are the same bytes, `perceptual` look the same,
    `semantic` show the same."""
    latest = gateway.duplicates.latest(collection)
    asked = ["duplicates", collection, kind, latest.job if latest else None]
    start = read_number(cursor, asked) if cursor else 0
    groups = gateway.duplicates.groups(collection, kind, start, limit)
    found = latest.groups.get(kind, 0) if latest else 0
    return DuplicateGroups(
        kind=kind,
        computed_at=latest.computed_at if latest else None,
        groups_found=found,
        items=_present(gateway, collection, groups),
        next_cursor=make_cursor(start + limit, asked) if start + limit < found else None,
    )


def _present(gateway: GatewayDep, collection: str, groups: Sequence[Sequence[str]]) -> list[DuplicateGroup]:
    shown = [ids[:SHOWN_OF_A_GROUP] for ids in groups]
    points = gateway.index.retrieve(collection, [one for ids in shown for one in ids]) if groups else {}
    made = [
        DuplicateGroup.of(ids, [points[one] for one in some if one in points], collection)
        for ids, some in zip(groups, shown, strict=True)
    ]
    return [group for group in made if _has_duplicates(group)]


def _has_duplicates(group: DuplicateGroup) -> bool:
    return len(group.images) > 1 or any(
        len(image.sources) > 1 for image in group.images[:1] if group.size == 1
    )


def _quality(point: StoredPoint) -> tuple[int, int, str]:
    payload = point.payload
    return ((payload.width or 0) * (payload.height or 0), payload.bytes or 0, point.id)
