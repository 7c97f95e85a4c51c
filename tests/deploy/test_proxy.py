"""HAProxy with the configuration of deploy/cluster, in front of two servers that tell what reached them."""

import json
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from sightline_api.readiness.watch import ANSWER_S

CONFIG = Path(__file__).resolve().parents[2] / "deploy" / "cluster" / "haproxy.cfg"
WITHIN_S = 30.0

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="there is no haproxy on the PATH")


class Api:
    """Stands for an api: `/readyz` as told, and what a proxy could spoil."""

    def __init__(self) -> None:
        self.ready = True
        self.asked: list[str] = []
        self.hosts: set[str] = set()
        self.first_byte = Event()
        self.go_on = Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/readyz":
                    api.hosts.add(self.headers["Host"])
                    return self._answer(200 if api.ready else 503, b"{}")
                api.asked.append(self.path)
                if self.path == "/events":
                    return self._events()
                return self._answer(200, json.dumps(dict(self.headers)).encode())

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                self.rfile.read(1)
                api.first_byte.set()
                self.rfile.read(size - 1)
                self._answer(200, str(size).encode())

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _events(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(b"event: progress\n\n")
                self.wfile.flush()
                api.go_on.wait(WITHIN_S)
                self.wfile.write(b"event: done\n\n")
                self.close_connection = True

            def handle(self) -> None:
                with suppress(OSError):  # checks end their connections as they like
                    super().handle()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def apis() -> Iterator[list[Api]]:
    made = [Api(), Api()]
    yield made
    for api in made:
        api.close()


@pytest.fixture
def proxy(apis: list[Api], tmp_path: Path) -> Iterator[int]:
    """The port of the proxy, which has found both apis well."""
    port, health_port = _free_port(), _free_port()
    text = CONFIG.read_text().replace("bind :8080", f"bind 127.0.0.1:{port}")
    text = text.replace("bind 127.0.0.1:8405", f"bind 127.0.0.1:{health_port}")
    # The names of containers are Docker's to resolve; here the servers are named one by one.
    servers = "".join(
        f"    server api{number} 127.0.0.1:{api.port} init-addr last,libc,none\n"
        for number, api in enumerate(apis)
    )
    text, replaced = re.subn(r"^ +server-template api .*\n", servers, text, flags=re.MULTILINE)
    assert replaced == 1
    config = tmp_path / "haproxy.cfg"
    config.write_text(text)
    with subprocess.Popen(["haproxy", "-W", "-db", "-f", str(config)]) as process:
        try:
            _until(lambda: _status(health_port, "/") == 200, "the proxy is up")
            _until(lambda: all(api.hosts for api in apis), "both were checked")
            yield port
        finally:
            process.send_signal(signal.SIGTERM)


def test_the_configuration_is_valid_as_it_is() -> None:
    checked = subprocess.run(["haproxy", "-c", "-f", str(CONFIG)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_a_check_waits_longer_than_an_api_takes_to_say_what_hangs() -> None:
    found = re.search(r"^ +timeout check (\d+)s$", CONFIG.read_text(), re.MULTILINE)
    assert found
    assert int(found[1]) > ANSWER_S


def test_an_api_that_is_not_ready_is_left_alone_until_it_is(proxy: int, apis: list[Api]) -> None:
    assert {api.hosts.pop() for api in apis} == {"localhost"}
    apis[0].ready = False
    _until(lambda: _all_reach(proxy, apis[1]), "all requests go to the one that is ready")
    apis[1].ready = False
    _until(lambda: _status(proxy, "/some") == 503, "nobody is ready")
    apis[0].ready = True
    _until(lambda: _all_reach(proxy, apis[0]), "the one that is ready again is asked")


def test_an_api_that_is_gone_costs_no_request(proxy: int, apis: list[Api]) -> None:
    apis[0].server.shutdown()
    apis[0].server.server_close()
    assert [_status(proxy, f"/request/{number}") for number in range(30)] == [200] * 30


def test_headers_say_who_asked_and_how(proxy: int) -> None:
    status, body = _get(
        proxy,
        "/",
        {"Host": "pictures.example.com", "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"},
    )
    assert status == 200
    headers = {name.lower(): value for name, value in json.loads(body).items()}
    assert headers["host"] == "pictures.example.com"
    forwarded = {name: value for name, value in headers.items() if name.startswith("x-for")}
    assert forwarded == {
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "pictures.example.com",
        "x-forwarded-proto": "http",
    }


def test_events_are_not_held_back(proxy: int, apis: list[Api]) -> None:
    connection = HTTPConnection("127.0.0.1", proxy, timeout=WITHIN_S)
    connection.request("GET", "/events")
    answer = connection.getresponse()
    assert answer.readline() == b"event: progress\n"
    for api in apis:
        api.go_on.set()
    assert answer.read().endswith(b"event: done\n\n")
    connection.close()


def test_an_upload_goes_on_while_it_comes_in(proxy: int, apis: list[Api]) -> None:
    size = 40 << 20
    with socket.create_connection(("127.0.0.1", proxy), timeout=WITHIN_S) as client:
        client.sendall(
            f"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        client.sendall(b"x")
        _until(
            lambda: any(api.first_byte.is_set() for api in apis), "the first byte is there before the last"
        )
        block = bytes(1 << 20)
        for _ in range(39):
            client.sendall(block)
        client.sendall(block[:-1])
        assert client.recv(1 << 16).endswith(str(size).encode())


def _all_reach(proxy: int, api: Api) -> bool:
    before = len(api.asked)
    return all(_status(proxy, "/some") == 200 for _ in range(6)) and len(api.asked) == before + 6


def _status(port: int, path: str) -> int:
    try:
        return _get(port, path, {})[0]
    except OSError:
        return 0


def _get(port: int, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {WITHIN_S:.0f} s: {what}"
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
