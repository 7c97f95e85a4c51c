"""Parameters that many routes share, each parsed by one dependency."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Path, Query

from sightline.errors import JobNotFound
from sightline.index.filters import Filter, parse_filter
from sightline.queue.jobs import Job
from sightline.settings import CollectionName
from sightline_api.gateway import Gateway, GatewayDep
from sightline_api.http.access import CallerDep
from sightline_api.http.callers import Caller
from sightline_api.http.example_values import FILTER_JSON, IMAGE_ID, JOB_ID, TREE_JSON

MAX_WAIT_S = 60.0
_WAIT = re.compile(r"\bwait=(\d+)\b")

JobId = Annotated[str, Path(description="the id of a job", examples=[JOB_ID])]


def chosen_collection(gateway: Gateway, caller: Caller, named: str | None) -> str:
    """The collection that a request is about; raises CollectionNotFound for one of others."""
    return caller.check(named or gateway.settings.collection)


async def _collection(
    gateway: GatewayDep,
    caller: CallerDep,
    collection: Annotated[
        CollectionName | None, Query(description="default: `images`", examples=["images"])
    ] = None,
) -> str:
    return chosen_collection(gateway, caller, collection)


def job_of_caller(gateway: Gateway, caller: Caller, job_id: str) -> Job:
    """A job; raises JobNotFound, also for one of others."""
    job = gateway.ledger.job(job_id)
    if not caller.may_use(job.request.collection):
        raise JobNotFound(job_id)
    return job


def _job(gateway: GatewayDep, caller: CallerDep, job_id: JobId) -> Job:
    return job_of_caller(gateway, caller, job_id)


async def _filter(
    filter: Annotated[
        str | None,
        Query(description="the filter tree as JSON in one string", examples=[FILTER_JSON, TREE_JSON]),
    ] = None,
) -> Filter | None:
    return parse_filter(filter) if filter else None


async def _wait_s(prefer: Annotated[str | None, Header(description="`wait=20`: seconds")] = None) -> float:
    """RFC 7240's `wait`; 0 without it."""
    match = _WAIT.search(prefer or "")
    return min(float(match[1]), MAX_WAIT_S) if match else 0.0


CollectionDep = Annotated[str, Depends(_collection)]
FilterDep = Annotated[Filter | None, Depends(_filter)]
ImageId = Annotated[UUID, Path(description="the id of a picture", examples=[IMAGE_ID])]
JobDep = Annotated[Job, Depends(_job)]
"""The job in the path, if it is one of the caller's collections."""
Cursor = Annotated[str | None, Query(description="the `next_cursor` of the page before")]
WaitDep = Annotated[float, Depends(_wait_s)]
