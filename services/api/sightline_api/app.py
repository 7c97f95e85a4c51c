"""The application: every part of the gateway is put together here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from threading import Event, Thread

import anyio.to_thread
import structlog
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from sightline.settings import Settings
from sightline.waiting import await_services
from sightline_api.gateway import Gateway, open_gateway
from sightline_api.http.access import RequireKey
from sightline_api.http.body_limit import BodyLimitMiddleware
from sightline_api.http.metrics import Metrics
from sightline_api.http.problem_document import PROBLEM_RESPONSES
from sightline_api.http.problems import install_problem_handlers
from sightline_api.http.request_id import RequestIdMiddleware
from sightline_api.http.request_metrics import RequestMetricsMiddleware
from sightline_api.ingest.models import MAX_INGEST_BYTES
from sightline_api.routes import (
    classify,
    duplicates,
    embeddings,
    facets,
    images,
    ingest,
    jobs,
    metrics,
    search,
    service,
)
from sightline_api.search.recall_monitor import recall_monitored

_log = structlog.get_logger(__name__)

_JSON_ONLY = dict.fromkeys(("/v1/ingest", "/v1/images/", "/v1/jobs/"), MAX_INGEST_BYTES)
"""Paths whose bodies are read whole; uploads, at /v1/images, are not."""


def create_app(settings: Settings) -> FastAPI:
    """The gateway over these settings; it opens its connections when it starts serving."""
    measured = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with (
            open_gateway(settings) as gateway,
            recall_monitored(gateway.index, gateway.query_sample, measured, settings.recall_sample_s),
        ):
            await anyio.to_thread.run_sync(gateway.decoder.warm)
            app.state.gateway = gateway
            stopping = Event()
            Thread(target=_say_when_ready, args=(gateway, stopping), daemon=True).start()
            try:
                yield
            finally:
                stopping.set()

    app = FastAPI(
        title="Sightline",
        version=version("sightline-api"),
        description="Search pictures by words, by another picture, or by likeness.",
        lifespan=lifespan,
        responses=PROBLEM_RESPONSES,
    )
    app.state.metrics = measured
    install_problem_handlers(app)
    # A page of another site must not reach a loopback service through its visitor's browser.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.allowed_hosts)
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_upload_bytes, below=_JSON_ONLY)
    app.add_middleware(RequestIdMiddleware)
    app.add_middleware(RequestMetricsMiddleware, metrics=measured)
    for routes in (ingest, images, facets, search, classify, duplicates, jobs, embeddings):
        app.include_router(routes.router, dependencies=[RequireKey])
    app.include_router(service.router)
    app.include_router(metrics.router)
    return app


def _say_when_ready(gateway: Gateway, stopping: Event) -> None:
    """Log what the gateway waits for at its start; it answers meanwhile, and says that it is not ready."""
    services = {"Redis": gateway.ledger.ping, "the index": gateway.index.ping}
    if await_services(services, stopping):
        _log.info("gateway_ready", model=gateway.encoder.manifest.name)
