"""The application: every part of the gateway is put together here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from threading import Event, Thread

import anyio.to_thread
import structlog
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from sightline.settings import Settings
from sightline.tracing import NO_TRACES, Tracer
from sightline.waiting import await_services
from sightline_api.gateway import Gateway, open_gateway
from sightline_api.http.body_limit import BodyLimitMiddleware, BodyLimits
from sightline_api.http.defects import DefectsMiddleware
from sightline_api.http.metrics import Metrics
from sightline_api.http.problem_document import PROBLEM_RESPONSES
from sightline_api.http.problems import install_problem_handlers
from sightline_api.http.request_id import RequestIdMiddleware
from sightline_api.http.request_metrics import RequestMetricsMiddleware
from sightline_api.http.request_spans import RequestSpanMiddleware
from sightline_api.http.response_headers import ResponseHeadersMiddleware
from sightline_api.ingest.models import MAX_INGEST_BYTES, MAX_INGEST_VALUES
from sightline_api.readiness.checks import checks_of
from sightline_api.readiness.watch import readiness_watched
from sightline_api.routes import (
    api_docs,
    caller,
    classify,
    collections,
    duplicates,
    embeddings,
    facets,
    images,
    ingest,
    jobs,
    keys,
    metrics,
    migrations,
    page,
    portability,
    portable_files,
    search,
    service,
    session,
)
from sightline_api.routes.session import MAX_SESSION_BYTES
from sightline_api.search.recall_monitor import recall_monitored

_log = structlog.get_logger(__name__)

_MOST_BYTES = 1 << 20
"""Of a body where nothing large is asked for."""

_NO_TELEMETRY: TelemetryConfig = {"auto_configure": False, "tracing": False, "metrics": False, "logs": False}
"""FastAPI's own spans would hold what people search for; ours are in http/request_spans.py."""

_ROUTERS = (
    ingest.router,
    images.router,
    facets.router,
    search.router,
    classify.router,
    duplicates.router,
    jobs.router,
    embeddings.router,
    collections.router,
    migrations.router,
    portability.router,
    portable_files.router,
    keys.router,
    session.router,
    caller.router,
    service.router,
    metrics.router,
    api_docs.router,
    page.router,
)


def create_app(settings: Settings, tracer: Tracer = NO_TRACES) -> FastAPI:
    """The gateway over these settings; it opens its connections when it starts serving."""
    measured = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with (
            open_gateway(settings, measured, tracer) as gateway,
            recall_monitored(gateway.index, gateway.query_sample, measured, settings.recall_sample_s),
        ):
            gateway.bounds.size_threads()
            await anyio.to_thread.run_sync(gateway.decoder.warm)
            app.state.gateway = gateway
            stopping = Event()
            Thread(target=_say_when_ready, args=(gateway, stopping), daemon=True).start()
            try:
                async with readiness_watched(checks_of(gateway)) as app.state.watch:
                    yield
            finally:
                stopping.set()

    app = FastAPI(
        title="Sightline",
        version=version("sightline-api"),
        description="Search pictures by words, by another picture, or by likeness.",
        lifespan=lifespan,
        responses=PROBLEM_RESPONSES,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    app.state.metrics = measured
    install_problem_handlers(app)
    # A page of another site must not reach a loopback service through its visitor's browser.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.allowed_hosts)
    app.add_middleware(BodyLimitMiddleware, limits=_body_limits(settings))
    app.add_middleware(DefectsMiddleware)
    if settings.cors_origins:
        # Without credentials: a page of another origin brings a key of its own, never its visitor's session.
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["*"], allow_headers=["*"]
        )
    app.add_middleware(ResponseHeadersMiddleware, embeddable=bool(settings.cors_origins))
    app.add_middleware(RequestSpanMiddleware, tracer=tracer)
    app.add_middleware(RequestIdMiddleware)
    app.add_middleware(RequestMetricsMiddleware, metrics=measured)
    for router in _ROUTERS:
        app.include_router(router)
    return app


def _body_limits(settings: Settings) -> BodyLimits:
    queries = ("/v1/search", "/v1/classify", "/v1/embeddings")
    # Anybody may send a key, so little is held of it.
    held = {"/v1/ingest": MAX_INGEST_BYTES, "/v1/images/": MAX_INGEST_BYTES, "/v1/session": MAX_SESSION_BYTES}
    return BodyLimits(
        most=_MOST_BYTES,
        memory=settings.body_memory_bytes,
        held=held | dict.fromkeys(queries, settings.max_query_bytes),
        more_values={"/v1/ingest": MAX_INGEST_VALUES},
        streamed=dict.fromkeys(("/v1/images", "/v1/imports/"), settings.max_upload_bytes),
    )


def _say_when_ready(gateway: Gateway, stopping: Event) -> None:
    """Log what the gateway waits for at its start; it answers meanwhile, and says that it is not ready."""
    services = {"Redis": gateway.ledger.ping, "the index": gateway.index.ping}
    if await_services(services, stopping):
        _log.info("gateway_ready", model=gateway.models.default.artifact.manifest.name)
