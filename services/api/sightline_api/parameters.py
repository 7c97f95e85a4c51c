"""Parameters that many routes share, each parsed by one dependency."""

import re
from typing import Annotated

from fastapi import Depends, Header, Query

from sightline.index.filters import Filter, parse_filter
from sightline.settings import CollectionName
from sightline_api.gateway import GatewayDep

MAX_WAIT_S = 60.0
_WAIT = re.compile(r"\bwait=(\d+)\b")


async def _collection(
    gateway: GatewayDep,
    collection: Annotated[CollectionName | None, Query(description="default: `images`")] = None,
) -> str:
    return collection or gateway.settings.collection


async def _filter(
    filter: Annotated[str | None, Query(description="the filter tree as JSON in one string")] = None,
) -> Filter | None:
    return parse_filter(filter) if filter else None


async def _wait_s(prefer: Annotated[str | None, Header(description="`wait=20`: seconds")] = None) -> float:
    """RFC 7240's `wait`; 0 without it."""
    match = _WAIT.search(prefer or "")
    return min(float(match[1]), MAX_WAIT_S) if match else 0.0


CollectionDep = Annotated[str, Depends(_collection)]
FilterDep = Annotated[Filter | None, Depends(_filter)]
WaitDep = Annotated[float, Depends(_wait_s)]
