"""How messages travel over a socket: the length of the body, 4 bytes little-endian, then the body."""

import socket
import struct

MAX_FRAME_BYTES = 64 << 20
"""Longest request that an index process reads."""
MAX_LENGTH = 0xFFFF_FFFF
"""Longest body that a frame can have."""

_LENGTH = struct.Struct("<I")
_READ_BYTES = 1 << 20


def send_frame(connection: socket.socket, body: bytes) -> None:
    """Send one frame; raises OSError as sockets do."""
    connection.sendall(_LENGTH.pack(len(body)) + body)


def receive_frame(connection: socket.socket, *, limit: int) -> bytearray | None:
    """Read the body of one frame, or None if the other side has closed between frames.

    Raises ConnectionError for a frame that is cut off or announces more than `limit` bytes.
    """
    header = _read(connection, _LENGTH.size)
    if not header:
        return None
    if len(header) < _LENGTH.size:
        raise ConnectionError("the connection ended inside a frame")
    (length,) = _LENGTH.unpack(header)
    if length > limit:
        raise ConnectionError(f"a frame of {length} bytes is over the limit of {limit} bytes")
    body = _read(connection, length)
    if len(body) < length:
        raise ConnectionError("the connection ended inside a frame")
    return body


def _read(connection: socket.socket, length: int) -> bytearray:
    """Up to `length` bytes, fewer only at the end of the stream; memory grows with what arrives."""
    data = bytearray()
    while len(data) < length:
        piece = connection.recv(min(length - len(data), _READ_BYTES))
        if not piece:
            break
        data += piece
    return data
