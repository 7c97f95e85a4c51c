"""The index process: what survives it, what ends it, what it refuses, and its client meanwhile."""

import fcntl
import json
import os
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Semaphore
from typing import Any

import msgspec
import pytest
from tenacity import retry, stop_after_delay, wait_fixed

from sightline.errors import SettingsError, Unavailable
from sightline.index import CollectionSpec, Point, SearchQuery
from sightline.index.edge import wire
from sightline.index.edge.catalog import CHILDREN_LOCK, EdgeCatalog
from sightline.index.edge.collections import EdgeCollections
from sightline.index.edge.frames import receive_frame, send_frame
from sightline.index.edge.listener import MAX_CONNECTIONS
from sightline.index.ranking import Nearest
from sightline.index.tuning import VectorLayout
from sightline.payload import FieldType, indexed_fields

MakePoint = Callable[..., Point]

SPEC = CollectionSpec("images", "space-a", 16, indexed_fields({}))


def wait_for(child: "subprocess.Popen[bytes]") -> str:
    """What a child wrote to stderr until its end."""
    out, err = child.communicate(timeout=20)
    assert out == b""
    return err.decode()


def test_every_acknowledged_write_survives_kill_9(process: Any, make_point: MakePoint) -> None:
    child = process.start()
    client = process.client()
    client.ensure_collection(SPEC)
    points = [make_point(number, tags=("old",)) for number in range(2000)]
    for start in range(0, len(points), 50):
        client.insert("images", points[start : start + 50])
    client.set_payload("images", points[0].id, {"tags": ["new"]})
    client.delete("images", [points[1].id])
    child.kill()
    child.wait()

    assert process.socket.exists()
    process.start()
    found = client.retrieve("images", [point.id for point in points])
    assert set(found) == {point.id for point in points} - {points[1].id}
    assert found[points[0].id].payload.tags == ("new",)
    best = client.search("images", SearchQuery(points[7].vector, "space-a", 1))[0]
    assert best.id == points[7].id


def test_a_client_carries_on_across_restarts(process: Any, make_point: MakePoint) -> None:
    child = process.start()
    client = process.client()
    client.ensure_collection(SPEC)
    acknowledged = Semaphore(0)

    def insert(number: int) -> None:
        client.insert("images", [make_point(number)])
        acknowledged.release()

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(insert, number) for number in range(400)]
        for _ in range(2):
            for _ in range(80):
                assert acknowledged.acquire(timeout=30)
            child.kill()
            child.wait()
            child = process.start()
        for done in work:
            done.result(timeout=30)
    assert len(client.retrieve("images", [make_point(number).id for number in range(400)])) == 400


@pytest.mark.parametrize("end", ["sigterm", "parent pipe"])
def test_it_ends_cleanly_and_keeps_everything(process: Any, make_point: MakePoint, end: str) -> None:
    reading, writing = os.pipe()
    child = process.start("--parent-pipe", str(reading), pass_fds=[reading])
    os.close(reading)
    client = process.client()
    client.ensure_collection(SPEC)
    client.insert("images", [make_point(1)])
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGHUP)
    client.ping()
    if end == "sigterm":
        child.terminate()
    os.close(writing)
    assert "Traceback" not in wait_for(child)
    assert child.returncode == 0
    assert not process.socket.exists()
    process.start()
    assert client.count("images") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_it_ends_when_its_parent_is_killed(process: Any) -> None:
    # Given a process whose parent is not this one, and which has no pipe to it
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); input()",
            *(sys.executable, "-m", "sightline.index.edge.process"),
            *("--folder", str(process.folder / "index"), "--socket", str(process.socket)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    ended = os.pidfd_open(int(parent.stdout.readline()))
    process.client().collections()
    parent.kill()
    parent.communicate()
    with os.fdopen(ended, "rb", buffering=0) as handle:
        assert select.select([handle], [], [], 10)[0]
    assert not process.socket.exists()


def test_a_second_process_on_a_folder_is_refused(process: Any) -> None:
    process.start()
    process.client().collections()
    second = process.start()
    said = wait_for(second)
    assert second.returncode == 2
    assert f"Another process uses the index folder {process.folder / 'index'}" in said
    process.client().ping()


def test_a_patient_process_waits_for_the_one_before_it(process: Any) -> None:
    first = process.start()
    process.client().collections()
    second = process.start("--patience", "60")
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(2)
    first.terminate()
    assert first.wait(20) == 0
    process.client(patience_s=30.0).ensure_collection(SPEC)
    second.terminate()
    assert "Another process" not in wait_for(second)
    assert second.returncode == 0


_CHANGED = """
import sys
from sightline.index.edge import catalog, process
{change}
sys.exit(process.main(sys.argv[1:]))
"""


def started_with(folder: Path, change: str) -> "subprocess.CompletedProcess[str]":
    """An index process on a folder, in which something is changed first, when it has ended."""
    command = [sys.executable, "-c", _CHANGED.format(change=change)]
    command += ["--folder", str(folder), "--socket", str(folder / "index.sock")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_processes_that_an_index_left_behind_are_no_reason_to_give_up(tmp_path: Path) -> None:
    with (tmp_path / CHILDREN_LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ended = started_with(tmp_path, "catalog.CHILDREN_END_S = 0.1")
    assert ended.returncode == 1
    assert "have not ended within 0 s" in ended.stderr
    assert "Traceback" not in ended.stderr


def built_collection(folder: Path) -> Path:
    """An index folder with an empty collection in a process of its own; the folder of its shard."""
    collections = EdgeCollections(folder)
    collections.ensure("images", "space-a", 4, {})
    collections.close()
    catalog = EdgeCatalog(folder)
    [entry] = catalog.entries()
    catalog.put(msgspec.structs.replace(entry, built=VectorLayout()))
    catalog.close()
    return folder / "shards" / entry.folder


def test_a_process_of_a_shard_that_dies_is_no_reason_to_restore_a_backup(tmp_path: Path) -> None:
    built_collection(tmp_path)
    ended = started_with(tmp_path, "sys.executable = 'false'")
    assert ended.returncode == 1
    assert "ended 5 times in a row" in ended.stderr
    assert "backup" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_shard_that_its_process_cannot_open_is_a_reason_to_give_up(tmp_path: Path) -> None:
    (built_collection(tmp_path) / "edge_config.json").write_text("{")
    ended = started_with(tmp_path, "")
    assert ended.returncode == 2
    assert "Restore the folder from a backup" in ended.stderr


def test_a_socket_in_use_is_not_taken(process: Any) -> None:
    process.start()
    process.client().collections()
    second = process.start("--folder", str(process.folder / "other"))
    assert "Another index process answers at" in wait_for(second)
    assert second.returncode == 2
    process.client().ping()


@pytest.mark.parametrize("kind", ["file", "long path"])
def test_a_socket_that_cannot_be_is_refused(process: Any, kind: str) -> None:
    path = process.socket if kind == "file" else process.folder / ("x" * 200)
    process.socket.parent.mkdir(parents=True)
    process.socket.write_text("mine")
    child = process.start("--socket", str(path))
    assert f"The index cannot listen at {path}" in wait_for(child).replace("\\", "")
    assert child.returncode == 2
    assert process.socket.read_text() == "mine"


def test_only_the_owner_can_connect(running: Any) -> None:
    assert stat.S_IMODE(running.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(running.socket.parent.stat().st_mode) == 0o700


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


def test_what_a_crash_left_half_made_is_removed(fast_folder: Path) -> None:
    folder = fast_folder / "half-made"
    collections = EdgeCollections(folder)
    collections.ensure("kept", "space-a", 4, {"sort_at": FieldType.DATETIME})
    collections.close()
    # Given a shard folder that the catalog never came to name, and a catalog never renamed
    half = folder / "shards" / "images.0123"
    half.mkdir()
    (half / "edge_config.json").write_text("{")
    (folder / "collections.json.new").write_text('{"version":')

    collections = EdgeCollections(folder)
    assert [record.name for record in collections.describe_all()] == ["kept"]
    assert not half.exists()
    collections.ensure("images", "space-a", 4, {})
    collections.close()


@pytest.mark.parametrize("spoiled", ["collections.json", "shard"])
def test_a_spoiled_folder_is_named(fast_folder: Path, spoiled: str) -> None:
    folder = fast_folder / f"spoiled-{spoiled}"
    collections = EdgeCollections(folder)
    collections.ensure("images", "space-a", 4, {})
    collections.close()
    if spoiled == "shard":
        entry = json.loads((folder / "collections.json").read_text())["collections"][0]
        (folder / "shards" / entry["folder"] / "edge_config.json").write_text("{")
    else:
        (folder / spoiled).write_text('{"version": 2}')
    for _ in range(2):
        with pytest.raises(SettingsError, match=str(folder)):
            EdgeCollections(folder)
