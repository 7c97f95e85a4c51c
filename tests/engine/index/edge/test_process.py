"""The index process: what survives it, what ends it, and what it refuses."""

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Semaphore
from typing import Any

import msgspec
import pytest

from sightline.errors import SettingsError
from sightline.index import CollectionSpec, Point, SearchQuery
from sightline.index.edge.catalog import CHILDREN_LOCK, EdgeCatalog
from sightline.index.edge.collections import EdgeCollections
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
