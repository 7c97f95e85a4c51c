"""A small internet of our own: names, addresses, and a web server that answers whatever it is told to."""

import socket
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from threading import Event, Lock, Thread
from typing import Any

import httpcore

from sightline_embedder.fetching.addresses import IPAddress

PUBLIC = "93.184.216.34"
"""The public address at which the site is found."""


@dataclass
class Visit:
    """One request to the site, answered by sending bytes."""

    path: str
    headers: dict[str, str]
    connection: socket.socket
    stopped: Event
    keep_open: bool = False

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(
        self, body: bytes = b"", status: str = "200 OK", length: int | str | None = None, **headers: str
    ) -> None:
        """A well-formed answer; with `length` None its length is told truly and the connection kept."""
        self.keep_open = length is None
        told = {"Content-Length": str(len(body) if length is None else length)}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in told.items())]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def repeat(self, data: bytes, every_s: float = 0.0) -> None:
        """Send `data` again and again until the client goes or the site stops."""
        while not self.stopped.wait(every_s):
            self.send(data)


@dataclass
class Site:
    """A web server on 127.0.0.1 that counts what reaches it."""

    routes: dict[str, Callable[[Visit], None]] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    connections: int = 0
    visits: list[Visit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stopped = Event()
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop(self) -> None:
        self.stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            thread = Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with suppress(OSError):
                if self.tls is not None:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                while self._answer(connection):
                    pass
        finally:
            connection.close()
            with self._lock:
                self._open.discard(connection)

    def _answer(self, connection: socket.socket) -> bool:
        head = b""
        while b"\r\n\r\n" not in head:
            received = connection.recv(4096)
            if not received:
                return False
            head += received
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        visit = Visit(first.split(" ")[1], headers, connection, self.stopped)
        with self._lock:
            self.visits.append(visit)
        route = self.routes.get(visit.path.partition("?")[0])
        if route is None:
            visit.answer(status="404 Not Found")
        else:
            route(visit)
        return visit.keep_open


class Names:
    """A resolver: each name has answers that follow one another, the last for ever."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: dict[str, int] = defaultdict(int)

    def __call__(self, host: str, timeout_s: float, /) -> Sequence[IPAddress]:
        position = self.asked[host]
        self.asked[host] += 1
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        given = self.answers[host]
        return [ip_address(one) for one in given[min(position, len(given) - 1)]]


class Network(httpcore.NetworkBackend):
    """Leads addresses to ports of this machine, and writes down every address that was tried."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.ports: dict[str, int] = {}
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        self.tried.append(host)
        if host not in self.ports:
            raise httpcore.ConnectError("[Errno 113] No route to host")
        return self._sockets.connect_tcp("127.0.0.1", self.ports[host], timeout)
