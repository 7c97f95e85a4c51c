"""`/docs` works without internet: everything it loads is served here, and its policy allows it."""

import re
from base64 import b64encode
from hashlib import sha256

from starlette.testclient import TestClient

TYPES = {"js": "text/javascript", "css": "text/css", "png": "image/png"}


def test_everything_it_loads_is_served_here(client: TestClient) -> None:
    page = client.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {url.rpartition(".")[2] for url in loaded} == set(TYPES)
    for url in loaded:
        assert url.startswith("/docs/")
        file = client.get(url)
        assert (file.status_code, bool(file.content)) == (200, True)
        assert file.headers["content-type"].partition(";")[0] == TYPES[url.rpartition(".")[2]]
    [described] = re.findall(r"url: '([^']+)'", page.text)
    assert client.get(described).json()["info"]["title"] == "Sightline"


def test_its_policy_allows_its_own_scripts_and_no_others(client: TestClient) -> None:
    page = client.get("/docs")
    policy = dict(one.split(" ", 1) for one in page.headers["content-security-policy"].split("; "))
    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert policy["script-src"].split() == ["'self'", f"'sha256-{digest}'"]
    assert (policy["default-src"], policy["connect-src"]) == ("'none'", "'self'")


def test_nothing_else_of_the_package_is_served(client: TestClient) -> None:
    assert client.get("/docs/__init__.py").status_code == 404
    assert client.get("/docs/none.js").status_code == 404
    assert client.get("/redoc").status_code == 404
