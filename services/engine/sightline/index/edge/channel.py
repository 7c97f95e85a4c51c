"""Connections to an index process: a small pool, and one request and reply at a time on each."""

import socket
import threading
from pathlib import Path
from typing import TypeVar

import msgspec
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from sightline.errors import BadRequest, Unavailable
from sightline.index.edge import wire
from sightline.index.edge.frames import MAX_FRAME_BYTES, MAX_LENGTH, receive_frame, send_frame

MAX_IDLE = 8
_SERVICE = "the index"
_T = TypeVar("_T")


class EdgeChannel:
    """Asks an index process, and connects again when it has been restarted."""

    def __init__(self, socket_path: Path) -> None:
        """Name the socket; connections are made when they are needed."""
        self._path = socket_path
        self._idle: list[socket.socket] = []
        self._lock = threading.Lock()
        self._closed = False
        self._decoder: msgspec.msgpack.Decoder[wire.Reply] = msgspec.msgpack.Decoder(wire.Reply)

    def ask(self, request: wire.Request, answer: type[_T], *, patience_s: float, timeout_s: float) -> _T:
        """Send a request that may be repeated without harm, and return its answer.

        Raises the error that the process replied with, or Unavailable when it did not reply within
        `timeout_s` seconds, or could not be reached within `patience_s` seconds of trying.
        """
        body = _encoded(request)
        attempts = Retrying(
            retry=retry_if_exception_type(OSError),
            stop=stop_after_delay(patience_s),
            wait=wait_exponential(multiplier=0.02, max=0.5),
            reraise=True,
        )
        try:
            reply = self._decoder.decode(attempts(self._exchange, body, timeout_s))
        except OSError as error:
            raise Unavailable(_SERVICE, f"{self._path}: {error}") from error
        except msgspec.DecodeError as error:
            raise Unavailable(_SERVICE, f"its reply at {self._path} cannot be read: {error}") from error
        if isinstance(reply, wire.Failed):
            raise wire.error_of(reply)
        if not isinstance(reply, answer):
            raise Unavailable(_SERVICE, f"it replied at {self._path} with {type(reply).__name__}")
        return reply

    def close(self) -> None:
        """Close the connections; those in use close when their reply is in."""
        with self._lock:
            self._closed = True
        self._close_idle()

    def _exchange(self, body: bytes, timeout_s: float) -> bytearray:
        connection = self._connection()
        try:
            connection.settimeout(timeout_s)
            send_frame(connection, body)
            reply = receive_frame(connection, limit=MAX_LENGTH)
            if reply is None:
                raise ConnectionError("it closed the connection")
        except BaseException:
            connection.close()
            # The others lead to the same process, which may be gone.
            self._close_idle()
            raise
        self._give_back(connection)
        return reply

    def _connection(self) -> socket.socket:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # A full backlog is an error at once instead of a wait without end.
            connection.setblocking(False)
            connection.connect(str(self._path))
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_back(self, connection: socket.socket) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _close_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def _encoded(request: wire.Request) -> bytes:
    try:
        body = msgspec.msgpack.encode(request)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRequest(f"The request cannot be sent to the index: {error}.") from error
    if len(body) > MAX_FRAME_BYTES:
        raise BadRequest(
            f"The request takes {len(body)} bytes, but the index reads {MAX_FRAME_BYTES} at a time. "
            f"Send less metadata or fewer points."
        )
    return body
