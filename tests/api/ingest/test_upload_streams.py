"""Uploads over a real connection: bounded memory, clients that vanish, disks that fill."""

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tenacity import retry, stop_after_delay, wait_fixed

from sightline.queue.ledger import Ledger

KIB = 1 << 10
MIB = 1 << 20
HEAD = b'Content-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'


def memory_bytes(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * KIB for line in lines if line.startswith(field))


def form(files: int, bytes_each: int) -> Iterator[bytes]:
    """The body of an upload, made while it is sent; every file is another."""
    for _ in range(files):
        yield b"--cut\r\n" + HEAD
        yield os.urandom(bytes_each)
        yield b"\r\n"
    yield b"--cut--\r\n"


def send(served: Any, body: Any, **headers: str) -> httpx.Response:
    kind = {"Content-Type": "multipart/form-data; boundary=cut"}
    answer: httpx.Response = served.api.post("/v1/images", content=body, headers=kind | headers)
    return answer


def connect(served: Any, head: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=20)
    connection.sendall(f"POST /v1/images HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n\r\n".encode())
    return connection


def test_500_files_in_one_request_take_no_memory(served: Any, ledger: Ledger) -> None:
    assert send(served, form(5, 200 * KIB)).status_code == 202
    pid = served.process.pid
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # forgets the peak
    before = memory_bytes(pid, "VmRSS")

    answer = send(served, form(500, 200 * KIB))

    assert answer.status_code == 202, answer.text
    grown = memory_bytes(pid, "VmHWM") - before
    assert grown < 16 * MIB, f"{grown / MIB:.0f} MiB for an upload of 98 MiB"
    refs = ledger.refs(answer.json()["id"], 0, 1000)
    assert len({ref.sha256 for ref in refs}) == 500
    assert [path for path in served.stored() if ".unfinished" in path.parts] == []


def test_one_key_in_two_requests_at_once_makes_one_job(served: Any, ledger: Ledger) -> None:
    body = b"".join(form(20, 10 * KIB))
    before = len(served.stored())

    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(send, served, body, **{"Idempotency-Key": "k"}) for _ in range(4)]
        answers = [one.result() for one in sent]

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert ledger.active_count() == 1
    assert len(served.stored()) == before + 20


def test_a_client_that_vanishes_leaves_neither_files_nor_a_job(served: Any, ledger: Ledger) -> None:
    before = served.stored()
    with connect(
        served, "Content-Type: multipart/form-data; boundary=cut\r\nContent-Length: 9000000"
    ) as connection:
        connection.sendall(b"--cut\r\n" + HEAD + b"whole\r\n--cut\r\n" + HEAD + bytes(MIB))
        wait_until(lambda: len(served.stored()) == len(before) + 2)

    wait_until(lambda: served.stored() == before)
    assert ledger.active_count() == 0


def wait_until(holds: Any) -> None:
    @retry(stop=stop_after_delay(15), wait=wait_fixed(0.02))
    def check() -> None:
        assert holds()

    check()


def test_a_full_queue_is_said_before_the_body_is_sent(serve: Any, ledger: Ledger, tmp_path: Path) -> None:
    with serve(tmp_path, max_active_jobs=1, min_free_bytes=0) as served:
        assert send(served, form(1, 10)).status_code == 202
        with connect(
            served, "Content-Type: multipart/form-data; boundary=cut\r\nContent-Length: 9000000"
        ) as connection:
            status, headers = answer_of(connection)
        assert status == 429
        assert int(headers["retry-after"]) > 0
        body = {"source": {"kind": "urls", "items": [{"url": "https://example.org/a.jpg"}]}}
        for path, json in (("/v1/ingest", body), ("/v1/jobs/any/retry", {})):
            refused = served.api.post(path, json=json)
            assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")

        ledger.stop(ledger.active()[0])
        assert send(served, form(1, 10)).status_code == 202


def test_a_missing_key_is_said_before_the_body_is_sent(serve: Any, ledger: Ledger, tmp_path: Path) -> None:
    with serve(tmp_path, api_key="right") as served:
        with connect(
            served, "Content-Type: multipart/form-data; boundary=cut\r\nContent-Length: 9000000"
        ) as connection:
            status, _ = answer_of(connection)
        assert status == 401
        assert send(served, form(1, 10), **{"X-API-Key": "right"}).status_code == 202


def answer_of(connection: socket.socket) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer that is there before the request was sent whole."""
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        lines = iter(lambda: stream.readline().strip().decode(), "")
        return status, {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


@pytest.mark.parametrize("min_free_bytes", [0, MIB])
def test_a_disk_that_fills_is_507_and_serves_again_when_there_is_room(
    serve: Any, small_disk: Path, ledger: Ledger, min_free_bytes: int
) -> None:
    with serve(small_disk, min_free_bytes=min_free_bytes) as served:
        assert send(served, form(2, 500 * KIB)).status_code == 202
        kept = served.stored()

        # Nothing announces how much comes: the disk tells when it is too much.
        refused = send(served, form(8, 500 * KIB))

        assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
        assert "no room left" in refused.json()["detail"]
        assert int(refused.headers["retry-after"]) > 0
        assert served.stored() == kept
        assert os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize > 2 * MIB
        assert ledger.active_count() == 1

        announced = send(served, b"".join(form(8, 500 * KIB)))
        assert announced.status_code == 507
        again = send(served, form(2, 500 * KIB))
        assert again.status_code == 202, again.text
