"""Metrics for Prometheus."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse

from sightline_api.http.access import READ_ALL, GuardedRoute
from sightline_api.http.metrics import CONTENT_TYPE, Metrics

router = APIRouter(tags=["service"], route_class=GuardedRoute)


async def _metrics_of(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


@router.get("/metrics", dependencies=[READ_ALL], response_class=PlainTextResponse)
def get_metrics(metrics: Annotated[Metrics, Depends(_metrics_of)]) -> Response:
    """Metrics of this process in Prometheus' text format."""
    return Response(metrics.text(), media_type=CONTENT_TYPE)
