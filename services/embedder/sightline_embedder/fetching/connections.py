"""Connections that are used again: a TLS handshake for each picture would take longer than the picture."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from threading import Lock

import httpcore

from sightline_embedder.fetching.limits import Deadline
from sightline_embedder.fetching.network import Patience
from sightline_embedder.fetching.turns import HostTurns
from sightline_embedder.fetching.urls import Target

_MAX_IDLE = 32
_IDLE_S = 5.0


@cache
def _user_agent() -> str:
    return f"Sightline/{version('sightline-embedder')} (+image indexing)"


class Connection:
    """One connection to one origin, made at its first request; used by one fetch at a time."""

    def __init__(
        self,
        target: Target,
        network: Callable[[Patience], httpcore.NetworkBackend],
        ssl_context: ssl.SSLContext,
    ) -> None:
        self.origin = target.origin
        self.patience = Patience()
        scheme, host, port = self.origin
        self._http = httpcore.HTTPConnection(
            httpcore.Origin(scheme.encode(), host.encode(), port),
            ssl_context=ssl_context,
            keepalive_expiry=_IDLE_S,
            network_backend=network(self.patience),
        )

    def request(self, target: Target) -> httpcore.Response:
        """Ask for `target` and return when the headers are there; the body is still to be read.

        Raises what httpcore and CheckedNetwork raise.
        """
        scheme, host, port = self.origin
        return self._http.handle_request(
            httpcore.Request(
                b"GET",
                httpcore.URL(scheme=scheme, host=host, port=port, target=target.request_target),
                headers={
                    "Host": target.authority,
                    "User-Agent": _user_agent(),
                    "Accept": "*/*",
                    "Accept-Encoding": "identity",
                },
            )
        )

    @property
    def usable(self) -> bool:
        """Whether another request may be made on it."""
        return self._http.is_available() and not self._http.has_expired()

    def close(self) -> None:
        """Close it."""
        self._http.close()


class Connections:
    """Hands out connections, at most so many to a host at a time. Safe to call from several threads."""

    def __init__(
        self,
        turns: HostTurns,
        network: Callable[[Patience], httpcore.NetworkBackend],
        ssl_context: ssl.SSLContext,
    ) -> None:
        self._turns = turns
        self._network = network
        self._ssl_context = ssl_context
        self._idle: list[Connection] = []
        self._lock = Lock()

    @contextmanager
    def lend(self, target: Target, deadline: Deadline) -> Iterator[Connection]:
        """A connection to the origin of `target`, when its host has a turn; raises as HostTurns does."""
        with self._turns.turn(target.host, deadline):
            connection = self._take(target) or Connection(target, self._network, self._ssl_context)
            try:
                yield connection
            finally:
                self._put_back(connection)

    def close(self) -> None:
        """Close the connections that are not lent."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self, target: Target) -> Connection | None:
        with self._lock:
            self._drop_unusable()
            for connection in reversed(self._idle):
                if connection.origin == target.origin:
                    self._idle.remove(connection)
                    return connection
        return None

    def _put_back(self, connection: Connection) -> None:
        if not connection.usable:
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)
            self._drop_unusable()

    def _drop_unusable(self) -> None:
        usable = [connection for connection in self._idle if connection.usable]
        for connection in self._idle:
            if connection not in usable[-_MAX_IDLE:]:
                connection.close()
        self._idle = usable[-_MAX_IDLE:]
