"""A page exchanges the key for a cookie, which opens what the key opens, for a week and no longer."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from itsdangerous import TimestampSigner
from pydantic import SecretStr
from starlette.testclient import TestClient

from sightline.queue.ledger import Ledger
from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.http.callers import ENVIRONMENT
from sightline_api.http.sessions import COOKIE, LIFETIME, new_session

KEY = "b41c9e07d25f8a63"
SAME_SITE = {"Origin": "http://testserver"}


@pytest.fixture(scope="module")
def guarded(settings: Settings) -> Settings:
    return settings.model_copy(update={"api_key": SecretStr(KEY)})


@pytest.fixture(scope="module")
def gateway(guarded: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(guarded)) as client:
        yield client


@pytest.fixture
def page(gateway: TestClient) -> Iterator[TestClient]:
    """A client that keeps cookies, beginning with none."""
    gateway.cookies.clear()
    yield gateway
    gateway.cookies.clear()


def open_session(page: TestClient, key: str = KEY) -> httpx.Response:
    return page.post("/v1/session", json={"key": key})


def with_cookie(page: TestClient, session: str) -> int:
    cookie = f"{COOKIE}={session}".encode("latin-1")
    return page.get("/v1/stats", headers={b"Cookie": cookie}).status_code


def test_a_session_opens_what_the_key_opens(page: TestClient) -> None:
    assert page.get("/v1/stats").status_code == 401
    assert (open_session(page).status_code, open_session(page).content) == (204, b"")
    assert page.get("/v1/stats").status_code == 200
    assert page.get("/metrics").status_code == 200


def test_the_cookie_is_kept_from_scripts_and_other_sites(page: TestClient) -> None:
    name, *attributes = open_session(page).headers["set-cookie"].split("; ")
    assert name.startswith(f"{COOKIE}=")
    assert KEY not in name
    assert sorted(attributes) == ["HttpOnly", "Max-Age=604800", "Path=/", "SameSite=strict"]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://testserver/v1/session", None),
        # Through a proxy that ends TLS.
        ("http://testserver/v1/session", "https://testserver"),
    ],
)
def test_the_cookie_stays_on_https_where_it_came_by_https(
    page: TestClient, url: str, origin: str | None
) -> None:
    headers = {"Origin": origin} if origin else {}
    answer = page.post(url, json={"key": KEY}, headers=headers)
    assert "Secure" in answer.headers["set-cookie"].split("; ")


def test_a_wrong_key_opens_no_session(page: TestClient) -> None:
    refused = open_session(page, "b41c9e07d25f8a64")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "set-cookie" not in refused.headers
    assert "b41c9e07d25f8a6" not in refused.text


def test_half_a_surrogate_pair_is_a_wrong_key(page: TestClient) -> None:
    json = {"Content-Type": "application/json"}
    assert page.post("/v1/session", content=rb'{"key": "\ud800"}', headers=json).status_code == 401


@pytest.mark.parametrize("body", [b"{}", b'{"key": null}', b'{"key": "b41c9e07'])
def test_a_body_without_a_key_is_a_fault_of_the_request(page: TestClient, body: bytes) -> None:
    refused = page.post("/v1/session", content=body, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    assert "b41c9e07" not in refused.text


def test_a_body_that_cannot_be_a_key_is_not_read(page: TestClient) -> None:
    refused = open_session(page, "k" * 20_000)
    assert (refused.status_code, refused.json()["code"]) == (413, "request_too_large")


def test_a_session_is_good_at_every_gateway_with_the_key(page: TestClient, guarded: Settings) -> None:
    open_session(page)
    with TestClient(create_app(guarded), cookies={COOKIE: page.cookies[COOKIE]}) as another:
        assert another.get("/v1/stats").status_code == 200
    changed = guarded.model_copy(update={"api_key": SecretStr("e85a0f7713c6b92d")})
    with TestClient(create_app(changed), cookies={COOKIE: page.cookies[COOKIE]}) as another:
        assert another.get("/v1/stats").status_code == 401


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (LIFETIME - timedelta(minutes=1), 200),
        (LIFETIME + timedelta(minutes=1), 401),
        # Opened at a machine whose clock is ahead.
        (timedelta(minutes=-1), 200),
    ],
)
def test_a_session_ends_after_a_week(
    page: TestClient, monkeypatch: pytest.MonkeyPatch, age: timedelta, status: int
) -> None:
    now = TimestampSigner(KEY).get_timestamp()
    with monkeypatch.context() as then:
        then.setattr(TimestampSigner, "get_timestamp", lambda _: now - int(age.total_seconds()))
        session = new_session(ENVIRONMENT, KEY)
    assert with_cookie(page, session) == status


def test_altered_and_foreign_cookies_open_nothing(page: TestClient) -> None:
    session = new_session(ENVIRONMENT, KEY)
    assert with_cookie(page, session) == 200
    for place in range(len(session)):
        other = "A" if session[place] != "A" else "Q"
        assert with_cookie(page, f"{session[:place]}{other}{session[place + 1 :]}") == 401, place
    for foreign in (
        "",
        ".",
        "environment",
        KEY,
        new_session(ENVIRONMENT, "another key"),
        TimestampSigner(KEY).sign("environment").decode(),
        session.rpartition(".")[0],
        f"{session}.{session}",
        "\xff",
    ):
        assert with_cookie(page, foreign) == 401, foreign


def test_a_key_in_a_header_counts_before_a_session(page: TestClient) -> None:
    open_session(page)
    for wrong in ({"Authorization": "Bearer wrong"}, {"X-API-Key": "wrong"}, {"X-API-Key": ""}):
        assert page.get("/v1/stats", headers=wrong).status_code == 401
    ended = {"Cookie": f"{COOKIE}=ended"}
    page.cookies.clear()
    assert page.get("/v1/stats", headers=ended).status_code == 401
    assert page.get("/v1/stats", headers=ended | {"X-API-Key": KEY}).status_code == 200
    # A proxy's own password is no key of Sightline's.
    open_session(page)
    assert page.get("/v1/stats", headers={"Authorization": "Basic dTpw"}).status_code == 200


def test_a_session_is_the_same_caller_as_its_key(page: TestClient, ledger: Ledger) -> None:
    once = {"Idempotency-Key": "once"}
    body = {"source": {"kind": "urls", "items": [{"url": "https://example.com/cup.jpg"}]}}
    by_key = page.post("/v1/ingest", json=body, headers=once | {"X-API-Key": KEY})
    open_session(page)
    by_session = page.post("/v1/ingest", json=body, headers=once | SAME_SITE)
    assert by_session.status_code == by_key.status_code == 202
    assert by_session.json()["id"] == by_key.json()["id"]


def test_closing_a_session_takes_the_cookie_back(page: TestClient) -> None:
    open_session(page)
    closed = page.delete("/v1/session", headers=SAME_SITE)
    assert (closed.status_code, closed.content) == (204, b"")
    assert COOKIE not in page.cookies
    assert page.get("/v1/stats").status_code == 401
    assert page.delete("/v1/session").status_code == 204


def test_where_no_key_is_set_there_is_no_session_and_none_is_needed(client: TestClient) -> None:
    opened = client.post("/v1/session", json={"key": "any"})
    assert (opened.status_code, opened.headers.get("set-cookie")) == (204, None)
    assert client.get("/v1/stats", headers={"Cookie": f"{COOKIE}=stale"}).status_code == 200
