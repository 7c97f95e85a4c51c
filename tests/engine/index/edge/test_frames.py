"""Frames over a socket."""

import socket

import pytest

from sightline.index.edge.frames import receive_frame, send_frame


def test_frames_arrive_whole_and_in_order() -> None:
    here, there = socket.socketpair()
    with here, there:
        for body in (b"", b"x", b"y" * 100_000):
            send_frame(here, body)
        here.close()
        received = [receive_frame(there, limit=100_000) for _ in range(4)]
        assert received == [b"", b"x", b"y" * 100_000, None]


def test_a_frame_over_the_limit_is_not_read() -> None:
    here, there = socket.socketpair()
    with here, there:
        send_frame(here, b"xx")
        with pytest.raises(ConnectionError, match="limit of 1 bytes"):
            receive_frame(there, limit=1)
