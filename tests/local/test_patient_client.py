"""An API that has no room now is asked again when it says, and no sooner."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from sightline_local.client import ApiFailure
from sightline_local.patient_client import PatientApiClient

Answer = tuple[int, dict[str, str]]
BUSY: Answer = (429, {"Retry-After": "7"})
AWAY: Answer = (503, {})
GOOD: Answer = (200, {})


@dataclass(frozen=True)
class Asked:
    """A client, the bodies that its API got, and the waits that it told of and then slept."""

    api: PatientApiClient
    bodies: list[bytes]
    waits: list[float]


@contextmanager
def answering(*answers: Answer) -> Iterator[Asked]:
    """A client of an API that gives these answers, one after another."""
    left = list(answers)
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            status, headers = left.pop(0)
            body = json.dumps({"code": "queue_full", "detail": "The queue is full."}).encode()
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        waits: list[float] = []
        api = PatientApiClient(url, None, lambda _, wait_s: waits.append(wait_s), waits.append)
        try:
            yield Asked(api, bodies, waits)
        finally:
            server.shutdown()


def test_it_waits_as_long_as_it_is_told_and_asks_again() -> None:
    with answering(BUSY, AWAY, GOOD) as asked:
        asked.api.get("/v1/jobs")
    assert len(asked.bodies) == 3
    assert asked.waits == [7.0, 7.0, 5.0, 5.0], "told of, and slept"


def test_an_upload_is_sent_whole_again(tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"bytes of a picture")
    with answering(BUSY, GOOD) as asked:
        asked.api.upload([picture], {}, ["tag"])
    assert [b"bytes of a picture" in body for body in asked.bodies] == [True, True]


def test_who_has_to_wait_for_very_long_is_told_so_at_once() -> None:
    with (
        answering((429, {"Retry-After": "86400"})) as asked,
        pytest.raises(ApiFailure, match="queue is full") as caught,
    ):
        asked.api.post("/v1/ingest", {})
    assert (caught.value.code, caught.value.retry_after_s, asked.waits) == ("queue_full", 86400.0, [])


def test_what_will_not_pass_is_not_asked_again() -> None:
    with answering((507, {"Retry-After": "60"})) as asked, pytest.raises(ApiFailure):
        asked.api.post("/v1/ingest", {})
    assert (len(asked.bodies), asked.waits) == (1, [])
