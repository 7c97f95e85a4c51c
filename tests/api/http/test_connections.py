"""Clients that keep the gateway waiting, over real sockets: a server with short deadlines."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from sightline_api.http.connections import PatientConnection

LARGE = 32 << 20
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


def post(length: int) -> bytes:
    """The head of a request whose body is to follow."""
    return b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % length


class Impatient(PatientConnection):
    """Short deadlines."""

    head_s = 1.0
    look_s = 1.0

    def _look(self) -> None:
        super()._look()
        if self.transport.is_closing():
            not_read.set()


class Narrow(PatientConnection):
    """Few connections."""

    most_connections = 2


not_read = Event()


async def large_answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    length = [(b"content-length", str(LARGE).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": bytes(LARGE)})


@contextmanager
def serving(protocol: type[PatientConnection]) -> Iterator[int]:
    config = uvicorn.Config(large_answer, port=0, http=protocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    listening.listen()
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(Impatient) as port:
        yield port


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        yield connection


def is_cut(connection: socket.socket) -> bool:
    """Whether the server has ended the connection without a word."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def is_cut_after(connection: socket.socket, sent: bytes) -> bool:
    """Whether the server ends the connection although these bytes have come."""
    try:
        connection.sendall(sent)
        return is_cut(connection)
    except TimeoutError:
        return False
    except (BrokenPipeError, ConnectionResetError):
        return True


def read_answer(connection: socket.socket) -> int:
    """The bytes of one answer's body."""
    with connection.makefile("rb") as stream:
        while stream.readline().strip():
            pass
        return len(stream.read(LARGE))


@pytest.mark.parametrize("sent", [b"", GET[:-4]], ids=["nothing", "half a head"])
def test_a_connection_without_a_request_is_cut(port: int, sent: bytes) -> None:
    with connected(port) as connection:
        connection.sendall(sent)
        assert is_cut(connection)


def test_the_head_of_a_second_request_has_its_deadline_too(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(GET)
        assert read_answer(connection) == LARGE
        connection.sendall(GET[:-4])
        assert is_cut(connection)


@pytest.mark.parametrize("length", [1, 1000], ids=["whole", "begun"])
def test_a_body_that_comes_after_the_answer_does_not_keep_the_connection(port: int, length: int) -> None:
    with connected(port) as connection:
        connection.sendall(post(length))
        assert read_answer(connection) == LARGE
        connection.sendall(b"x")
        assert is_cut(connection)


def test_a_body_that_trickles_after_the_answer_does_not_keep_the_connection(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(post(1000))
        assert read_answer(connection) == LARGE
        connection.settimeout(0.1)
        sent = 0
        while sent < 100 and not is_cut_after(connection, b"x"):
            sent += 1
        assert sent < 100


def test_after_a_body_that_came_late_there_is_time_for_the_next_request(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(post(2))
        assert read_answer(connection) == LARGE
        connection.sendall(b"x")
        connection.sendall(b"x" + GET)
        assert read_answer(connection) == LARGE


def test_who_does_not_read_the_answer_is_cut_and_who_reads_gets_all_of_it(port: int) -> None:
    with connected(port) as slow, connected(port) as quick:
        slow.sendall(GET)
        quick.sendall(GET)
        assert read_answer(quick) == LARGE
        assert not_read.wait(20)
        assert read_answer(slow) < LARGE


def test_one_connection_too_many_is_told_so() -> None:
    with (
        serving(Narrow) as port,
        connected(port) as first,
        connected(port) as second,
        connected(port) as third,
    ):
        for one in (first, second):
            one.sendall(GET)
        answer = third.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b'"code":"overloaded"' in answer
        assert read_answer(first) == read_answer(second) == LARGE
