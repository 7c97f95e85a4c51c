"""Metrics for Prometheus."""

from typing import Annotated

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse

from sightline_api.http.access import READ_ALL, GuardedRoute
from sightline_api.http.metrics import CONTENT_TYPE, Metrics

_ONE_AT_A_TIME = anyio.CapacityLimiter(1)

router = APIRouter(tags=["service"], route_class=GuardedRoute)


async def _metrics_of(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


@router.get("/metrics", dependencies=[READ_ALL], response_class=PlainTextResponse)
async def get_metrics(metrics: Annotated[Metrics, Depends(_metrics_of)]) -> Response:
    """Metrics of this process in Prometheus' text format."""
    # One at a time, in a thread of its own: each asks Redis, and many would take the threads of searches.
    text = await anyio.to_thread.run_sync(metrics.text, limiter=_ONE_AT_A_TIME)
    return Response(text, media_type=CONTENT_TYPE)
