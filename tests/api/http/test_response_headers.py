"""What comes with every answer, and what pages of other origins may do with it."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.http.response_headers import DEFAULTS, RESOURCE_POLICY

SHOP = "https://shop.example.com"


@pytest.fixture(scope="module")
def shared(settings: Settings) -> Iterator[TestClient]:
    """A gateway that pages of a shop may call."""
    with TestClient(create_app(settings.model_copy(update={"cors_origins": [SHOP]}))) as client:
        yield client


@pytest.mark.parametrize("path", ["/healthz", "/v1/model", "/v1/nothing", "/v1/images?sort=nonsense"])
def test_answers_are_not_to_be_cached_framed_or_guessed_at(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    for name, value in DEFAULTS.items():
        assert headers[name] == value, name
    assert headers[RESOURCE_POLICY] == "same-origin"


def test_the_page_keeps_its_own_policy(client: TestClient) -> None:
    headers = client.get("/").headers
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-cache"


def test_pages_of_other_origins_are_told_nothing(client: TestClient) -> None:
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    assert "Access-Control-Allow-Origin" not in client.options("/v1/search", headers=asked).headers
    assert "Access-Control-Allow-Origin" not in client.get("/v1/model", headers={"Origin": SHOP}).headers


def test_pages_of_chosen_origins_may_call_with_a_key(shared: TestClient) -> None:
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    allowed = shared.options("/v1/search", headers=asked)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == SHOP
    # A visitor's session stays out of it.
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    other = shared.options("/v1/search", headers=asked | {"Origin": "https://other.example.com"})
    assert "Access-Control-Allow-Origin" not in other.headers
    assert shared.get("/v1/model").headers[RESOURCE_POLICY] == "cross-origin"
