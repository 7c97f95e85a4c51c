"""Bodies over the limit are refused, whatever their header says."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, UploadFile
from starlette.testclient import TestClient

from sightline_api.http.body_limit import BodyLimitMiddleware
from sightline_api.http.request_id import RequestIdMiddleware

LIMIT = 10_000


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()

    @app.post("/")
    def take(file: UploadFile) -> int:
        return len(file.file.read())

    @app.post("/small/{name}")
    def take_less(name: str, file: UploadFile) -> int:
        return len(file.file.read())

    app.add_middleware(BodyLimitMiddleware, max_bytes=LIMIT, below={"/small/": LIMIT // 4, "/other": 1})
    app.add_middleware(RequestIdMiddleware)
    return TestClient(app)


def multipart(size: int) -> tuple[dict[str, str], bytes]:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return {"Content-Type": "multipart/form-data; boundary=x"}, head + b"a" * size + b"\r\n--x--\r\n"


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("path", "limit"), [("/", LIMIT), ("/small/one", LIMIT // 4)])
def test_a_body_over_the_limit_gets_413_and_one_below_passes(
    client: TestClient, streamed: bool, path: str, limit: int
) -> None:
    def send(size: int) -> int:
        headers, body = multipart(size)

        def pieces() -> Iterator[bytes]:
            for start in range(0, len(body), 1000):
                yield body[start : start + 1000]

        answer = client.post(path, headers=headers, content=pieces() if streamed else body)
        if answer.status_code == 413:
            assert answer.json()["code"] == "request_too_large"
        return answer.status_code

    assert send(limit // 2) == 200
    assert send(limit * 2) == 413
