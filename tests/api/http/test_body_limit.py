"""Bodies over the limit are refused, whatever their header says."""

import json
from collections.abc import Iterator

import anyio
import pytest
from fastapi import FastAPI, UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline_api.http.body_limit import BodyLimitMiddleware, BodyLimits
from sightline_api.http.pace import Pace
from sightline_api.http.request_id import RequestIdMiddleware

LIMIT = 10_000


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()

    @app.post("/large")
    def take(file: UploadFile) -> int:
        return len(file.file.read())

    @app.post("/small/{name}")
    def take_less(name: str, file: UploadFile) -> int:
        return len(file.file.read())

    limits = BodyLimits(most=1, memory=10 * LIMIT, held={"/small/": LIMIT // 4}, streamed={"/large": LIMIT})
    app.add_middleware(BodyLimitMiddleware, limits=limits)
    app.add_middleware(RequestIdMiddleware)
    return TestClient(app)


def multipart(size: int) -> tuple[dict[str, str], bytes]:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return {"Content-Type": "multipart/form-data; boundary=x"}, head + b"a" * size + b"\r\n--x--\r\n"


def test_what_comes_to_a_streamed_path_by_another_method_is_held(client: TestClient) -> None:
    limits = BodyLimits(most=1, memory=1, streamed={"/large": LIMIT, "/below/": LIMIT})
    for method, path in (("POST", "/large"), ("PUT", "/below/one")):
        assert (limits.streamed_at(method, path), limits.of(method, path)) == (LIMIT, LIMIT)
        assert (limits.streamed_at("GET", path), limits.of("GET", path)) == (None, 1)
    assert client.request("GET", "/large", content=b"ab").status_code == 413


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("path", "limit"), [("/large", LIMIT), ("/small/one", LIMIT // 4)])
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


def body_messages(sizes: list[int], total: int | None = None) -> tuple[Scope, Receive]:
    """A request whose body comes in pieces of these sizes, after which nothing comes any more."""
    pieces = iter(sizes)

    async def receive() -> Message:
        size = next(pieces, None)
        if size is None:
            await anyio.sleep_forever()
        return {"type": "http.request", "body": bytes(size or 0), "more_body": size != 0}

    length = [] if total is None else [(b"content-length", str(total).encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": length, "state": {"request_id": "r"}}
    return scope, receive


def json_request(body: bytes, content_type: bytes = b"application/json") -> tuple[Scope, Receive]:
    scope, _ = body_messages([])

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return scope | {"path": "/v1/search", "headers": [(b"content-type", content_type)]}, receive


async def answered(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[int, str]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = json.loads(sent[1]["body"] or "{}")
    return sent[0]["status"], body.get("code", "")


async def read_whole(scope: Scope, receive: Receive, send: Send) -> None:
    await Request(scope, receive).body()
    await Response()(scope, receive, send)


async def read_or_give_up(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await read_whole(scope, receive, send)
    except ClientDisconnect:
        await Response(status_code=400)(scope, receive, send)


def test_bodies_of_json_have_a_limit_on_values() -> None:
    limits = BodyLimits(most=LIMIT, memory=LIMIT, values=10, more_values={"/v1/ingest": 20})
    app = BodyLimitMiddleware(read_or_give_up, limits)
    few, many = b"[0,0,0,0,0,0,0,0,0,0,0]", b'{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0}'

    async def main() -> None:
        assert await answered(app, *json_request(few)) == (200, "")
        assert await answered(app, *json_request(many)) == (413, "request_too_large")
        scope, receive = json_request(many)
        assert await answered(app, scope | {"path": "/v1/ingest"}, receive) == (200, "")
        # The bytes of a picture in a form stand for nothing.
        assert await answered(app, *json_request(b"," * 100, b"multipart/form-data; boundary=x")) == (200, "")

    anyio.run(main)


def test_who_announces_much_and_sends_little_keeps_nobody_out() -> None:
    inside = anyio.Event()

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            inside.set()
        await read_or_give_up(scope, receive, send)

    app = BodyLimitMiddleware(route, BodyLimits(most=LIMIT, memory=LIMIT))

    async def main() -> None:
        scope, receive = body_messages([100], LIMIT)
        async with anyio.create_task_group() as group:
            group.start_soon(answered, app, scope | {"path": "/slow"}, receive)
            await inside.wait()
            await anyio.wait_all_tasks_blocked()
            assert await answered(app, *body_messages([LIMIT // 2, 0], LIMIT // 2)) == (200, "")
            group.cancel_scope.cancel()

    anyio.run(main)


def test_a_body_that_comes_too_slowly_is_given_up() -> None:
    slow = BodyLimits(most=LIMIT, memory=LIMIT, pace=Pace(grace_s=0.01, bytes_per_s=1e9))
    app = BodyLimitMiddleware(read_or_give_up, slow)

    async def main() -> None:
        assert await answered(app, *body_messages([100])) == (408, "request_stalled")
        assert await answered(app, *body_messages([100, 0])) == (200, "")

    anyio.run(main)


@pytest.mark.parametrize("announced", [LIMIT, None])
def test_bodies_together_have_a_limit_that_ends_with_them(announced: int | None) -> None:
    inside = anyio.Event()
    go_on = anyio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        inside.set()
        await go_on.wait()
        await Response()(scope, receive, send)

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        await (slow if scope["path"] == "/slow" else read_or_give_up)(scope, receive, send)

    app = BodyLimitMiddleware(route, BodyLimits(most=LIMIT, memory=LIMIT + LIMIT // 2))

    async def main() -> None:
        scope, receive = body_messages([LIMIT, 0], announced)
        async with anyio.create_task_group() as group:
            group.start_soon(answered, app, scope | {"path": "/slow"}, receive)
            await inside.wait()
            assert await answered(app, *body_messages([LIMIT, 0], announced)) == (429, "overloaded")
            assert await answered(app, *body_messages([LIMIT // 4, 0])) == (200, "")
            go_on.set()
        assert await answered(app, *body_messages([LIMIT, 0], announced)) == (200, "")

    anyio.run(main)
