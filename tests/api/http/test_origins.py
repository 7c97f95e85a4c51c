"""Pages of other sites cannot make a visitor's browser change anything here."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from sightline.queue.ledger import Ledger
from sightline.settings import Settings
from sightline_api.app import create_app

KEY = "b41c9e07d25f8a63"
KNOWN = {"sha256": []}
OTHER_SITES = [
    "http://evil.example",
    "null",
    "http://testserver:8001",
    "http://testserver.evil.example",
    "http://evil.example/testserver",
    "chrome-extension://testserver",
    "testserver",
    "http://testserver:port",
    "http://[testserver",
    "",
]


@pytest.fixture(scope="module")
def guarded(settings: Settings) -> Iterator[TestClient]:
    """A client with a session, of a gateway with a key."""
    with TestClient(create_app(settings.model_copy(update={"api_key": SecretStr(KEY)}))) as client:
        assert client.post("/v1/session", json={"key": KEY}).status_code == 204
        yield client


def known(client: TestClient, **headers: str) -> httpx.Response:
    """A request with an unsafe method that changes nothing."""
    return client.post("/v1/images/known", json=KNOWN, headers=headers)


def forbidden(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["code"]) == (403, "origin_forbidden")


def test_an_upload_from_another_site_is_refused(
    client: TestClient, ledger: Ledger, media_files: Callable[[], list[Path]]
) -> None:
    kept = media_files()
    # A form of any page may send this, without asking first.
    form = {"files": [("files", ("a.jpg", b"anything"))]}
    refused = client.post("/v1/images", **form, headers={"Origin": "http://evil.example"})
    assert forbidden(refused)
    assert "http://evil.example" in refused.json()["detail"]
    assert (ledger.active_count(), media_files()) == (0, kept)

    assert client.post("/v1/images", **form).status_code == 202
    assert client.post("/v1/images", **form, headers={"Origin": "http://testserver"}).status_code == 202


@pytest.mark.parametrize("origin", OTHER_SITES)
def test_other_origins_are_refused(client: TestClient, guarded: TestClient, origin: str) -> None:
    assert forbidden(known(client, Origin=origin))
    assert forbidden(known(guarded, Origin=origin))
    for without_key in (client, guarded):
        assert forbidden(without_key.post("/v1/session", json={"key": KEY}, headers={"Origin": origin}))
        assert forbidden(without_key.delete("/v1/session", headers={"Origin": origin}))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://testserver", "testserver"),
        ("http://testserver", "testserver:80"),
        ("https://testserver", "testserver"),
        ("https://testserver", "testserver:443"),
        ("http://testserver:8000", "testserver:8000"),
        ("https://testserver:8443", "testserver:8443"),
        ("http://TestServer:8000", "testserver:8000"),
    ],
)
def test_its_own_origin_is_welcome(client: TestClient, guarded: TestClient, origin: str, host: str) -> None:
    for page in (client, guarded):
        assert known(page, Origin=origin, Host=host).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://[::1]:8000", "[::1]:8001", False),
        ("http://127.0.0.1:8000", "localhost:8000", False),
    ],
)
def test_addresses_are_compared_as_they_are(
    settings: Settings, origin: str, host: str, allowed: bool
) -> None:
    local = settings.model_copy(update={"allowed_hosts": Settings().allowed_hosts})
    with TestClient(create_app(local)) as client:
        answer = known(client, Origin=origin, Host=host)
    assert answer.status_code == 200 if allowed else forbidden(answer)


def test_a_session_changes_nothing_without_an_origin_and_reads_with_any(guarded: TestClient) -> None:
    assert forbidden(known(guarded))
    for headers in ({}, {"Origin": "http://evil.example"}):
        assert guarded.get("/v1/stats", headers=headers).status_code == 200


@pytest.mark.parametrize("origin", OTHER_SITES)
def test_a_key_in_a_header_needs_no_origin(guarded: TestClient, origin: str) -> None:
    assert known(guarded, **{"X-API-Key": KEY, "Origin": origin}).status_code == 200
    assert known(guarded, **{"X-API-Key": KEY}).status_code == 200
    assert known(guarded, **{"X-API-Key": "wrong", "Origin": "http://testserver"}).status_code == 401
