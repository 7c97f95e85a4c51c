"""The logs of a real run, at their most talkative: they name what belongs together, and hold no secret."""

import io
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from PIL import Image
from tenacity import retry, stop_after_delay, wait_fixed

from sightline_local.redis_child import find_redis_binary

KEY = "key-that-must-not-show-0123456789"
PASSWORD = "password-that-must-not-show"
SIGNATURE = "signature-that-must-not-show"
REQUEST = "the-upload"
QUERY = "a sky that must not show"
READY_S, JOB_S = 240.0, 60


@dataclass(frozen=True)
class Run:
    """An api and an embedder over a Redis with a password, at log level debug."""

    api: httpx.Client
    redis: "subprocess.Popen[bytes]"
    logs: Path

    def lines(self, service: str, event: str) -> list[str]:
        """The lines of an event in the log of a service."""
        return re.findall(rf"^.* event={event} .*$", self.log(service), re.MULTILINE)

    def log(self, service: str) -> str:
        return (self.logs / f"{service}.log").read_text()


class Site(BaseHTTPRequestHandler):
    """Signed addresses: /good is a picture, /gone is not there, /away leads elsewhere, /broken fails."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status = {"/good": 200, "/away": 302, "/broken": 500}.get(path, 404)
        body = picture("gold") if status == 200 else b""
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"http://169.254.169.254/x?X-Amz-Signature={SIGNATURE}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "PNG")
    return out.getvalue()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@contextmanager
def process(
    command: list[str], log: Path, environment: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    with (
        log.open("wb") as out,
        subprocess.Popen(command, env={**os.environ, **environment}, stdout=out, stderr=out) as child,
    ):
        try:
            yield child
        finally:
            child.terminate()
            child.wait(60)


@pytest.fixture(scope="module")
def finished(tiny_clip_artifact: Path, site: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that is over, in which much went well and much went wrong."""
    folder, redis_port, port = tmp_path_factory.mktemp("run"), free_port(), free_port()
    settings = {
        "SIGHTLINE_REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{redis_port}/0",
        "SIGHTLINE_INDEX_SOCKET": str(folder / "index.sock"),
        "SIGHTLINE_MODEL": str(tiny_clip_artifact),
        "SIGHTLINE_DATA_DIR": str(folder / "data"),
        "SIGHTLINE_API_KEY": KEY,
        "SIGHTLINE_PORT": str(port),
        "SIGHTLINE_LOG_LEVEL": "debug",
        "SIGHTLINE_FETCH_ALLOWED_NETWORKS": '["127.0.0.1/32"]',
        "SIGHTLINE_FETCH_TIMEOUT_S": "3",
    }
    python = [sys.executable, "-m"]
    index = ["sightline.index.edge.process", "--folder", str(folder / "shards"), "--socket"]
    redis_options = ["--port", str(redis_port), "--requirepass", PASSWORD, "--save", ""]
    with ExitStack() as running:
        redis = running.enter_context(
            process([find_redis_binary(), *redis_options, "--dir", str(folder)], folder / "redis.log", {})
        )
        index_command = [*python, *index, settings["SIGHTLINE_INDEX_SOCKET"]]
        running.enter_context(process(index_command, folder / "index.log", settings))
        for service in ("embedder", "api"):
            command = [*python, f"sightline_{service}"]
            running.enter_context(process(command, folder / f"{service}.log", settings))
        api = running.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=JOB_S))
        ready = retry(stop=stop_after_delay(READY_S), wait=wait_fixed(0.1))
        ready(lambda: api.get("/readyz").raise_for_status())()
        run = Run(api, redis, folder)
        _work(run, site)
        _break(run)
    return run


def _work(run: Run, site: str) -> None:
    """Uploads, signed addresses, searches, sessions, and callers without a key."""
    by_key = {"X-API-Key": KEY, "Prefer": f"wait={JOB_S}"}
    files = [("files", ("sky.png", picture("skyblue"))), ("files", ("notes.txt", b"no picture"))]
    run.api.post("/v1/images", files=files, headers={**by_key, "X-Request-Id": REQUEST}).raise_for_status()
    items = [
        {"url": f"{site}/{name}?X-Amz-Signature={SIGNATURE}"} for name in ("good", "gone", "away", "broken")
    ]
    source = {"source": {"kind": "urls", "items": items}}
    run.api.post("/v1/ingest", json=source, headers=by_key).raise_for_status()
    run.api.get("/v1/search", params={"q": QUERY}, headers=by_key).raise_for_status()
    assert run.api.get("/v1/jobs", headers={"X-API-Key": KEY[:-1]}).status_code == 401
    run.api.post("/v1/session", json={"key": KEY}).raise_for_status()
    assert run.api.cookies
    run.api.get("/v1/jobs").raise_for_status()


def _break(run: Run) -> None:
    """Redis goes away while both services use it."""
    run.redis.kill()
    run.redis.wait()
    assert run.api.get("/v1/jobs").status_code == 503


def test_a_job_is_followed_from_its_request_to_its_batches(finished: Run) -> None:
    (recorded,) = [line for line in finished.lines("api", "job_recorded") if "source=upload" in line]
    job = re.search(r" job_id=(\w+)", recorded)
    assert job
    assert f" request_id={REQUEST}" in recorded

    (done,) = [line for line in finished.lines("embedder", "batch_done") if job[1] in line]
    assert f" request_id={REQUEST}" in done
    assert " batch_id=0" in done
    (answered,) = [line for line in finished.lines("api", "request_answered") if REQUEST in line]
    assert " method=POST route=/v1/images status=200 " in answered


def test_what_a_reader_finds_belongs_to_its_batch(finished: Run) -> None:
    (forbidden,) = finished.lines("embedder", "address_forbidden")

    assert re.search(r" job_id=\w+", forbidden)
    assert " batch_id=0" in forbidden


def test_a_service_that_is_gone_is_named_with_the_request(finished: Run) -> None:
    assert any(re.search(r" request_id=\w+", line) for line in finished.lines("api", "service_unavailable"))


@pytest.mark.parametrize("service", ["api", "embedder"])
def test_no_secret_is_in_a_log(finished: Run, service: str) -> None:
    log = finished.log(service)
    session = next(iter(finished.api.cookies.values()))
    # A wrong key is a right one with a slip.
    secrets = {
        "key": KEY[:-1],
        "password": PASSWORD,
        "signature": SIGNATURE,
        "cookie": session,
        "query": QUERY,
    }

    assert [name for name, secret in secrets.items() if secret in log] == []
    assert log
