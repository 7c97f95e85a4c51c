"""Every route with no key, each scope's key and another collection's: answered as docs/keys.md says."""

from collections import defaultdict
from pathlib import Path

import pytest
from access_table import CALLERS, OPEN, Row, markdown, routes_of, rows, undeclared
from documented_requests import ExampleRequest, operations_of
from fastapi import APIRouter
from fastapi.routing import APIRoute
from sending_examples import PHOTOS, send
from starlette.testclient import TestClient

from sightline.queue.keys import KeyTerms, Scope
from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.gateway import Gateway
from sightline_api.http.access import PUBLIC, READ, GuardedRoute
from sightline_api.http.example_values import JOB_ID
from sightline_api.routes.session import router as session_router

APP = create_app(Settings())
DOCUMENTED = {
    (example.operation.method, example.operation.path): example
    for operation in operations_of(APP.openapi())
    for example in reversed(list(ExampleRequest.all_of(operation)))
}
CELLS = [
    pytest.param(row, DOCUMENTED[row.method, row.path], caller, id=f"{row.method} {row.path}, {caller}")
    for row in rows(APP)
    if (row.method, row.path) in DOCUMENTED
    for caller in CALLERS
]
TABLE = Path(__file__).resolve().parents[3] / "docs" / "keys.md"
FILES = defaultdict(str, {"/web/{path}": "app.js", "/docs/{path}": "swagger-ui.css"})
"""What is looked at below paths of pages."""
NOT_YOURS = {"collection_not_found", "job_not_found"}


@pytest.fixture
def anybody(client: TestClient) -> TestClient:
    """A client without a key and without a session."""
    client.cookies.clear()
    client.headers.pop("X-API-Key", None)
    return client


@pytest.fixture
def keys(gateway: Gateway, key: None) -> dict[str, str]:
    """Headers with the key of each caller."""
    made = {}
    for caller in CALLERS[1:]:
        scope, limited = (Scope.WRITE, ("elsewhere",)) if caller == CALLERS[-1] else (Scope(caller), None)
        terms = KeyTerms(name=caller, scope=scope, collections=limited)
        _, made[caller] = gateway.keys.make(terms, first_is_admin=False)
    gateway.key_ring.forget()
    return made


@pytest.mark.usefixtures("picture", "collections", "migration")
@pytest.mark.parametrize(("row", "example", "caller"), CELLS)
def test_the_cell_is_what_the_route_answers(
    anybody: TestClient,
    row: Row,
    example: ExampleRequest,
    caller: str,
    keys: dict[str, str],
    job_id: str,
    photos: str,
) -> None:
    headers = {"X-API-Key": keys[caller]} if caller in keys else {}
    answer = send(anybody, example, {JOB_ID: job_id, PHOTOS: photos}, headers)
    expected = row.cell(caller)
    if expected == OPEN:
        assert answer.is_success, answer.text
        return
    codes = {"401": {"unauthorized"}, "403": {"forbidden"}, "404": NOT_YOURS}[expected]
    assert (str(answer.status_code), answer.json()["code"] in codes) == (expected, True), answer.text


@pytest.mark.parametrize("caller", CALLERS)
def test_pages_are_for_everybody(anybody: TestClient, caller: str, keys: dict[str, str]) -> None:
    headers = {"X-API-Key": keys[caller]} if caller in keys else {}
    for row in rows(APP):
        if (row.method, row.path) not in DOCUMENTED:
            assert row.cell(caller) == OPEN
            path = row.path.replace("{path}", FILES[row.path])
            assert anybody.request(row.method, path, headers=headers).is_success, row


def test_the_documentation_has_this_table() -> None:
    assert markdown(APP) in TABLE.read_text()


def test_every_route_says_whom_it_serves() -> None:
    assert undeclared(APP) == []
    public = {row.path for row in rows(APP) if row.required is None}
    assert public == {
        "/",
        "/web/{path}",
        "/docs",
        "/docs/{path}",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/v1/session",
    }
    assert {route.path for route in session_router.routes} <= public


def test_a_route_that_does_not_say_is_found() -> None:
    app = create_app(Settings())
    routes = APIRouter()
    routes.add_api_route("/v1/silent", lambda: None)
    # It says whom it serves, and nothing sees to it.
    routes.add_api_route("/v1/unguarded", lambda: None, dependencies=[READ])
    routes.add_api_route("/v1/public", lambda: None, dependencies=[PUBLIC])
    app.include_router(routes)
    app.mount("/mounted", create_app(Settings()))
    assert undeclared(app)[:2] == ["/v1/silent", "/v1/unguarded"]
    assert "/mounted" in undeclared(app)
    with pytest.raises(TypeError, match="/v1/silent does not say"):
        APIRouter(route_class=GuardedRoute).add_api_route("/v1/silent", lambda: None)


def test_the_table_has_every_route() -> None:
    paths = {route.path_format for route in routes_of(APP) if isinstance(route, APIRoute)}
    assert {path for _, path in DOCUMENTED} <= paths
    assert len(paths) == len({row.path for row in rows(APP)}) > 30
