"""Connections to clients that keep the gateway waiting are cut: HTTP below ASGI, which cannot see them."""

import asyncio
from typing import Any

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

_log = structlog.get_logger(__name__)

HEAD_S = 10.0
"""For the head of a request, from the connection or from its first byte.

Also for the rest of a body whose request has been answered, and the head after it.
"""
LOOK_S = 15.0
READ_BYTES_PER_S = 4 << 10
"""Of an answer that fills the buffers, a client has to read so much on average between two looks."""
MOST_CONNECTIONS = 800
"""Below the 1,024 open files that a process usually has, some of which are uploads."""
_FULL_BODY = (
    b'{"type":"urn:sightline:problem:overloaded","title":"Too Many Requests","status":429,'
    b'"detail":"As many connections are open as may be. Send this again in a moment.",'
    b'"code":"overloaded","request_id":""}'
)
_FULL = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_FULL_BODY), _FULL_BODY)
)


class PatientConnection(H11Protocol):
    """uvicorn's protocol, with deadlines for a request's head and for reading an answer."""

    head_s = HEAD_S
    look_s = LOOK_S
    most_connections = MOST_CONNECTIONS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head, unless there are too many connections."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.write(_FULL)
            transport.close()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes, and see whether a head is whole or begins with them."""
        super().data_received(data)
        if self._head_is_due() or self._is_answered():
            self._await_head()
        else:
            self._stop_awaiting_head()

    def pause_writing(self) -> None:
        """The client reads more slowly than the answer comes."""
        super().pause_writing()
        self._unread = self.transport.get_write_buffer_size()
        self._read_timer = self.loop.call_later(self.look_s, self._look)

    def resume_writing(self) -> None:
        """The client has read what was sent."""
        super().resume_writing()
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        super().connection_lost(exc)
        self._stop_awaiting_head()
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _head_is_due(self) -> bool:
        """Whether bytes have come that may become a head, and no request is under way."""
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    def _is_answered(self) -> bool:
        """Whether the bytes that came after an answer are no request yet: uvicorn's own deadline is off."""
        return self.cycle is not None and self.cycle.response_complete

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_s, self._cut, "no request came in time")

    def _stop_awaiting_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _look(self) -> None:
        unread, before = self.transport.get_write_buffer_size(), self._unread
        if before - unread < READ_BYTES_PER_S * self.look_s:
            self._cut("the answer is not read")
            return
        self._unread = unread
        self._read_timer = self.loop.call_later(self.look_s, self._look)

    def _cut(self, reason: str) -> None:
        _log.info("connection_cut", reason=reason)
        self.transport.abort()
