"""A storage that misbehaves on purpose."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event, Thread

import pytest

Reply = Callable[[socket.socket, Event], None]


class BadStorage:
    """Answers each connection with the next of its replies, the last one for ever."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.connections = 0
        self.requests: list[bytes] = []
        self._stopped = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        Thread(target=self._serve, daemon=True).start()

    def answers(self, status: int, body: bytes = b"", size: int | None = None) -> Reply:
        """A whole answer; `size` is what it says of itself."""
        length = len(body) if size is None else size
        head = (
            f"HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\nConnection: close\r\n"
            f'Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\nETag: "e"\r\n\r\n'
        )

        def reply(connection: socket.socket, stopped: Event) -> None:
            connection.sendall(head.encode() + body)

        return reply

    def drips(self, size: int, every_s: float) -> Reply:
        """An answer whose body comes byte by byte."""
        start = self.answers(200, size=size)

        def reply(connection: socket.socket, stopped: Event) -> None:
            start(connection, stopped)
            for _ in range(size):
                connection.sendall(b"x")
                if stopped.wait(every_s):
                    return

        return reply

    def stays_silent(self, connection: socket.socket, stopped: Event) -> None:
        """No answer at all."""
        stopped.wait(60)

    def close(self) -> None:
        self._stopped.set()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                reply = self.replies[min(self.connections, len(self.replies) - 1)]
                self.connections += 1
                Thread(target=self._answer, args=(connection, reply), daemon=True).start()

    def _answer(self, connection: socket.socket, reply: Reply) -> None:
        with connection, suppress(OSError):
            self.requests.append(connection.recv(1 << 16))
            reply(connection, self._stopped)


@pytest.fixture
def bad_storage(monkeypatch: pytest.MonkeyPatch, s3: object) -> Iterator[BadStorage]:
    """It takes the place of the S3 server."""
    storage = BadStorage()
    monkeypatch.setenv("AWS_ENDPOINT_URL", storage.url)
    yield storage
    storage.close()


@pytest.fixture
def stopwatch() -> Callable[[], float]:
    """Seconds since the test began."""
    begun = time.monotonic()
    return lambda: time.monotonic() - begun
