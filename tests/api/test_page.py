"""The page's files are served, under headers that keep it to its own origin, and no others."""

from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from sightline_api.routes.page import FILES

PATHS = sorted(path.relative_to(FILES).as_posix() for path in FILES.rglob("*") if path.is_file())
SCRIPT = "/web/vendor/lit-html/lit-html.js"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@pytest.fixture
def status_of(served: Any) -> Iterator[Callable[[str], tuple[int, str | None]]]:
    """`status_of(path)`: sends the path as it stands, which clients would clean up first."""
    with closing(HTTPConnection("127.0.0.1", served.port)) as connection:

        def status_of(path: str) -> tuple[int, str | None]:
            connection.putrequest("GET", path)
            connection.endheaders()
            with connection.getresponse() as answer:
                answer.read()
                return answer.status, answer.headers["content-type"]

        yield status_of


def check_headers(answer: httpx.Response) -> None:
    policy = dict(one.split(" ", 1) for one in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    # No script and no style in the markup, nothing from elsewhere, no string that becomes a script.
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-cache"


def test_the_page_is_at_the_root(client: TestClient) -> None:
    page = client.get("/?q=a+cat")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.content == (FILES / "index.html").read_bytes()
    check_headers(page)


@pytest.mark.parametrize("path", PATHS)
def test_every_file_is_served_as_what_it_is(client: TestClient, path: str) -> None:
    file = client.get(f"/web/{path}")
    assert (file.status_code, file.content) == (200, (FILES / path).read_bytes())
    check_headers(file)
    known = TYPES.get(Path(path).suffix)
    assert known is None or file.headers["content-type"].partition(";")[0] == known


@pytest.mark.parametrize("path", ["/", SCRIPT])
def test_head_is_get_without_the_body(client: TestClient, path: str) -> None:
    whole, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag", "content-security-policy"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize("path", ["/", SCRIPT])
def test_what_has_not_changed_is_not_sent_again(client: TestClient, path: str) -> None:
    tag = client.get(path).headers["etag"]
    same = client.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    check_headers(same)
    assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("path", ["/", SCRIPT])
def test_files_are_read_only(client: TestClient, path: str) -> None:
    refused = client.post(path)
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "path",
    [
        "/web/",
        "/web/vendor",
        "/web/none.js",
        "/web/__init__.py",
        "/web/app.py",
        "/web/../app.py",
        "/web/..%2fapp.py",
        "/web/%2e%2e/app.py",
        "/web/%2e%2e%2fapp.py",
        "/web/..%5capp.py",
        "/web/..%252fapp.py",
        "/web/vendor/../../app.py",
        "/web/vendor/%2e%2e/%2e%2e/%2e%2e/sightline_api/app.py",
        f"/web/{FILES.parent}/app.py",
        f"/web/%2f{FILES.parent}/app.py",
        "/web//etc/passwd",
        "/web/%00",
        f"/web/{'a' * 300}",
    ],
)
def test_what_is_no_file_of_the_page_is_not_found(
    status_of: Callable[[str], tuple[int, str | None]], path: str
) -> None:
    assert status_of(path) == (404, "application/problem+json")


def test_the_page_needs_no_key_and_counts_as_a_route(client: TestClient) -> None:
    for path in ("/", SCRIPT):
        assert client.get(path).status_code == 200
    counted = client.get("/metrics").text
    assert 'sightline_http_requests_total{method="GET",route="/web/{path}",status="200"}' in counted
