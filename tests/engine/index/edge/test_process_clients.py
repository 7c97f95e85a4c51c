"""The index process and its clients: who may connect, what none can do to others, what each is told."""

import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tenacity import retry, stop_after_delay, wait_fixed

from sightline.errors import Unavailable
from sightline.index import CollectionSpec
from sightline.index.edge import wire
from sightline.index.edge.frames import receive_frame, send_frame
from sightline.index.edge.listener import MAX_CONNECTIONS
from sightline.index.ranking import Nearest
from sightline.payload import indexed_fields

SPEC = CollectionSpec("images", "space-a", 16, indexed_fields({}))


@pytest.fixture(scope="module")
def running(start_index: Callable[[], Any]) -> Any:
    """A process with an empty collection, for tests that leave it as it is."""
    process = start_index()
    process.client().ensure_collection(SPEC)
    return process


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Without a time limit: with one, a full backlog is an error at once.
    connection.connect(str(path))
    connection.settimeout(10)
    return connection


def test_only_the_owner_can_connect(running: Any) -> None:
    assert stat.S_IMODE(running.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(running.socket.parent.stat().st_mode) == 0o700


GARBAGE = {
    "half a header": b"\x01",
    "too long": struct.pack("<I", 0xFFFFFFFF),
    "cut off": struct.pack("<I", 100) + b"x",
    "no message": struct.pack("<I", 4) + b"\xc1\xc1\xc1\xc1",
    "unknown message": struct.pack("<I", 14) + msgspec.msgpack.encode({"type": "Nothing"})[:14],
    "http": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("sent", GARBAGE.values(), ids=GARBAGE)
def test_garbage_hurts_nobody_else(running: Any, sent: bytes) -> None:
    client = running.client(patience_s=5.0)
    with connect(running.socket) as hostile, connect(running.socket):
        hostile.sendall(sent)
        hostile.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            answer = hostile.recv(1 << 16)
            assert answer == b"" or b"BadRequest" in answer
        assert client.count("images") == 0


def test_many_idle_connections_hurt_nobody_else(running: Any) -> None:
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS + 20):
            stack.enter_context(connect(running.socket))
        with pytest.raises(Unavailable):
            running.client(patience_s=0.1).collections()
    assert running.client().count("images") == 0


@pytest.mark.parametrize(
    "request_",
    [
        wire.Insert("images", [["no-uuid", {"space": "space-a"}, b"\0" * 64]]),  # type: ignore[list-item]
        wire.Insert("images", [["no-uuid", {"space": "space-a"}, b"odd"]]),  # type: ignore[list-item]
        wire.Search("images", Nearest(b"odd"), "space-a", 1, 0, None, [], False, False),
        wire.Search(
            "images", Nearest(b"\0\0\x80\x3f" * 16), "space-a", 2**62, 2**62, None, ["no-uuid"], False, False
        ),
        wire.Browse("images", "colour", 1, None, None),  # type: ignore[arg-type]
        wire.Count("images", b"{"),
        wire.AddSources("images", {"no-uuid": {"a": {}}}),
    ],
)
def test_a_bad_message_gets_a_typed_answer(running: Any, request_: wire.Request) -> None:
    with connect(running.socket) as connection:
        send_frame(connection, msgspec.msgpack.encode(request_))
        body = receive_frame(connection, limit=1 << 20)
        reply = msgspec.msgpack.decode(body or b"", type=wire.Reply)
        assert isinstance(reply, wire.Failed)
        assert reply.error in ("BadRequest", "Unavailable")
        send_frame(connection, msgspec.msgpack.encode(wire.Ping()))
        assert receive_frame(connection, limit=1 << 20)


def test_nobody_there(process: Any) -> None:
    client = process.client(patience_s=0.2)
    started = time.monotonic()
    with pytest.raises(Unavailable, match=str(process.socket)):
        client.collections()
    with pytest.raises(Unavailable):
        client.ping()
    assert time.monotonic() - started < 3


def test_a_frozen_process_is_unavailable(process: Any) -> None:
    child = process.start()
    client = process.client(patience_s=0.2, timeout_s=0.5)
    process.client().collections()
    child.send_signal(signal.SIGSTOP)
    for call in (client.collections, client.ping):
        with pytest.raises(Unavailable, match="timed out"):
            call()
    child.send_signal(signal.SIGCONT)
    # A busy machine may take longer than this client waits for one answer.
    retry(stop=stop_after_delay(30), wait=wait_fixed(0.05))(client.collections)()


def test_clients_import_no_engine() -> None:
    code = "import sys, sightline.index.edge.client, sightline.index.connect; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert "'qdrant_edge'" not in loaded
    assert "'qdrant_client'" not in loaded
