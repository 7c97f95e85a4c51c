"""Every route has a bound, or is known to need none; a place is held for the work alone."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from sightline_api import routes
from sightline_api.gateway import Gateway
from sightline_api.http.bounded_routes import WORK_OF, BoundedRoute
from sightline_api.http.overload import Bound, Work

TAKE_PLACES_THEMSELVES = {
    "/v1/images/{image_id}/original",
    "/v1/ingest",
    "/v1/jobs/{job_id}/retry",
    "/v1/jobs/{job_id}/events",
    "/v1/duplicates/scan",
    "/v1/collections/{name}/export",
    "/v1/collections/{name}/import",
    "/v1/imports/{upload_id}/{file}",
}
NEED_NONE = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/v1/session",
    "/v1/caller",
    "/",
    "/docs",
    "/openapi.json",
    "/docs/{path}",
    "/web/{path}",
}
ROUTES = [
    route
    for module in iter_modules(routes.__path__, f"{routes.__name__}.")
    for route in import_module(module.name).router.routes
    if isinstance(route, APIRoute)
]


def test_every_route_has_its_bound() -> None:
    paths = {route.path_format for route in ROUTES}
    assert paths == set(WORK_OF) | TAKE_PLACES_THEMSELVES | NEED_NONE
    bounded = {route.path_format for route in ROUTES if isinstance(route, BoundedRoute)}
    assert set(WORK_OF) <= bounded


@pytest.fixture
def gateway(client: TestClient) -> Gateway:
    found: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
    return found


@pytest.fixture(params=list(Work))
def full(request: pytest.FixtureRequest, gateway: Gateway) -> Iterator[Work]:
    """A kind of work that has no room left."""
    work: Work = request.param
    bounds = gateway.bounds._bounds
    usual, bounds[work] = bounds[work], Bound(work, places=0, waiting=0, wait_s=1)
    yield work
    bounds[work] = usual


ID = "00000000-0000-0000-0000-000000000000"
A_REQUEST_OF = {
    Work.SEARCH: ("POST", "/v1/search", {"json": {"query": [{"text": "a cat"}]}}),
    Work.ENCODING: ("POST", "/v1/embeddings", {"json": {"input": "a cat"}}),
    Work.INDEX: ("GET", "/v1/facets?field=tags", {}),
    Work.QUEUE: ("GET", "/v1/jobs", {}),
    Work.THUMBNAIL: ("GET", f"/v1/images/{ID}/thumbnail", {}),
    Work.ORIGINAL: ("GET", f"/v1/images/{ID}/original", {}),
    Work.UPLOAD: ("POST", "/v1/images", {"files": [("files", ("a.jpg", b"x"))]}),
}


def test_what_has_no_room_is_refused_and_the_rest_is_served(client: TestClient, full: Work) -> None:
    client.get("/readyz").raise_for_status()
    for work, (method, path, body) in A_REQUEST_OF.items():
        answer = client.request(method, path, **body)  # type: ignore[arg-type]
        if work is full:
            assert (answer.status_code, answer.json()["code"]) == (429, "overloaded")
            assert 1 <= int(answer.headers["retry-after"]) <= 3
        elif not (full is Work.QUEUE and work is Work.UPLOAD):  # Jobs are counted before an upload.
            assert answer.status_code in (200, 202, 404), (work, answer.text)
