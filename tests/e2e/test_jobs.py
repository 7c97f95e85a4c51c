"""Jobs that are steered while they run: canceled, retried, followed, and overtaken by a deletion."""

import io
import json
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Event, Thread
from time import monotonic
from typing import Any

import numpy as np
import pytest
from PIL import Image

WITHIN_S = 90.0
BATCH = 16
READ_AHEAD = 8


def picture(number: int) -> bytes:
    """A JPEG of 32 by 32 pixels, another for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


class Site:
    """A web site whose pages can be held back and broken."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.broken: set[str] = set()
        self.held: dict[str, Event] = {}
        self.asked: list[str] = []
        self.comes = Condition()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with site.comes:
                    site.asked.append(self.path)
                    site.comes.notify_all()
                if self.path in site.held:
                    site.held[self.path].wait(WITHIN_S)
                data = site.pages.get(self.path)
                status = 500 if self.path in site.broken else 404 if data is None else 200
                self.send_response(status)
                body = data if status == 200 and data is not None else b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    thread = Thread(target=site.server.serve_forever)
    thread.start()
    yield site
    for held in site.held.values():
        held.set()
    site.server.shutdown()
    thread.join()
    site.server.server_close()


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("roots")


@pytest.fixture(scope="module")
def running(run_tiny_stack: Any, roots: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    environment = {
        "SIGHTLINE_FETCH_ALLOWED_NETWORKS": '["127.0.0.0/8"]',
        "SIGHTLINE_FETCH_PER_HOST": "8",
        "SIGHTLINE_METADATA_FIELDS": '{"sku": "keyword"}',
        "SIGHTLINE_BATCH_PICTURES": str(BATCH),
    }
    with run_tiny_stack(tmp_path_factory.mktemp("data"), roots, environment) as stack:
        yield stack


@pytest.fixture
def stack(running: Any) -> Iterator[Any]:
    """A running stack without pictures."""
    yield running
    assert running.api.delete("/v1/collections/images").status_code == 204


def start(stack: Any, site: Site, paths: list[str], **more: Any) -> str:
    items = [{"url": site.url + path} for path in paths]
    answer = stack.api.post("/v1/ingest", json={"source": {"kind": "urls", "items": items}, **more})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_urls_and_archives_go_in_with_what_is_said_of_them(stack: Any, site: Site, roots: Path) -> None:
    site.pages["/a.jpg"] = picture(1)
    items = [{"url": site.url + "/a.jpg", "metadata": {"sku": "A-1"}, "tags": ["red"]}]
    items += [{"url": site.url + "/gone.jpg"}, {"url": "http://169.254.169.254/latest/"}]
    body = {"source": {"kind": "urls", "items": items}, "tags": ["web"]}
    job = stack.ended_job(stack.api.post("/v1/ingest", json=body).json()["id"], WITHIN_S)
    assert job["counts"]["indexed"] == 1
    assert job["failures_by_reason"] == {"not_found": 1, "address_forbidden": 1}
    (image,) = stack.api.get("/v1/images").json()["items"]
    assert (image["tags"], image["metadata"]) == (["web", "red"], {"sku": "A-1"})
    elsewhere = stack.api.get(image["original_url"])
    assert (elsewhere.status_code, elsewhere.headers["Location"]) == (307, site.url + "/a.jpg")

    # The same archive on the disk and on the web; a member of each is one picture.
    shard = roots / "shard.tar"
    with tarfile.open(shard, "w") as archive:
        for name, data in (("k1.jpg", picture(2)), ("k1.json", b'{"sku": "B-2"}'), ("../k2.jpg", picture(3))):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    site.pages["/shard.tar"] = shard.read_bytes()
    for source in ({"path": str(shard)}, {"url": site.url + "/shard.tar"}):
        body = {"source": {"kind": "archive", **source}}
        job = stack.ended_job(stack.api.post("/v1/ingest", json=body).json()["id"], WITHIN_S)
        assert job["failures_by_reason"] == {"archive_member_unsafe": 1}, job
    wanted = json.dumps({"field": "metadata.sku", "eq": "B-2"})
    (image,) = stack.api.get("/v1/images", params={"filter": wanted}).json()["items"]
    assert len(image["sources"]) == 2
    assert stack.api.get(image["original_url"]).content == picture(2)


def test_retry_by_reason_runs_only_those(stack: Any, site: Site) -> None:
    paths = [f"/{number}.jpg" for number in range(12)]
    site.pages = {path: picture(number) for number, path in enumerate(paths)} | {"/0.jpg": b"no picture"}
    site.broken = {"/1.jpg", "/2.jpg", "/3.jpg"}
    first = stack.ended_job(start(stack, site, paths), WITHIN_S)
    assert first["failures_by_reason"] == {"not_an_image": 1, "fetch_failed": 3}
    site.broken.clear()
    site.asked.clear()

    answer = stack.api.post(f"/v1/jobs/{first['id']}/retry", json={"reason": "fetch_failed"})
    again = stack.ended_job(answer.json()["id"], WITHIN_S)

    assert (again["kind"], again["state"]) == ("retry", "succeeded")
    assert again["counts"]["total"] == again["counts"]["indexed"] == 3
    assert sorted(site.asked) == ["/1.jpg", "/2.jpg", "/3.jpg"]
    assert stack.api.get("/v1/stats").json()["collections"][0]["points"] == 11


def test_cancel_stops_within_a_batch(stack: Any, site: Site) -> None:
    paths = [f"/{number}.jpg" for number in range(200)]
    site.pages = {path: picture(number) for number, path in enumerate(paths)}
    site.held = dict.fromkeys(paths[2 * BATCH :], Event())
    job_id = start(stack, site, paths)
    deadline = monotonic() + WITHIN_S
    # Each look is a request.
    while stack.api.get(f"/v1/jobs/{job_id}").json()["counts"]["indexed"] < 2 * BATCH:
        assert monotonic() < deadline

    canceled = stack.api.post(f"/v1/jobs/{job_id}/cancel").json()
    site.held[paths[-1]].set()
    ended = stack.ended_job(job_id, WITHIN_S)

    # Two batches were in hand; what nobody had begun is canceled, what nobody listed is not counted.
    assert canceled["counts"]["canceled"] > 0
    assert (ended["state"], ended["counts"]["pending"]) == ("canceled", 0)
    assert ended["counts"]["indexed"] <= 4 * BATCH
    assert len(set(site.asked)) <= 4 * BATCH


def test_events_show_the_life_of_a_job_to_a_real_client(stack: Any, site: Site) -> None:
    paths = [f"/{number}.jpg" for number in range(24)]
    site.pages = {path: picture(number) for number, path in enumerate(paths)}
    site.held = {paths[-1]: Event()}
    job_id = start(stack, site, paths)
    seen: list[tuple[str, dict[str, Any]]] = []
    name = ""
    with stack.api.stream("GET", f"/v1/jobs/{job_id}/events", timeout=WITHIN_S) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                seen.append((name, json.loads(line.removeprefix("data: "))))
                if seen[-1][1]["counts"]["indexed"] >= 16:
                    site.held[paths[-1]].set()

    assert [name for name, _ in seen[:-1]] == ["progress"] * (len(seen) - 1)
    assert len(seen) >= 3
    assert all(sum_of(job) == job["counts"]["total"] for _, job in seen)
    name, last = seen[-1]
    assert (name, last["state"], last["counts"]["indexed"]) == ("done", "succeeded", 24)


def sum_of(job: dict[str, Any]) -> int:
    return sum(job["counts"][part] for part in ("pending", "indexed", "unchanged", "failed", "canceled"))


def test_the_same_idempotency_key_is_the_same_job(stack: Any) -> None:
    before = len(stack.api.get("/v1/jobs").json()["items"])

    def upload(data: bytes) -> Any:
        headers = {"Idempotency-Key": "k", "Prefer": "wait=60"}
        return stack.api.post("/v1/images", files={"files": ("a.jpg", data)}, headers=headers)

    first, second, other = upload(picture(1)), upload(picture(1)), upload(picture(2))

    assert first.status_code == second.status_code == 200
    assert first.json()["id"] == second.json()["id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(stack.api.get("/v1/jobs").json()["items"]) == before + 1


@pytest.mark.parametrize("before", [1, READ_AHEAD], ids=["before it is looked up", "after it was"])
def test_a_picture_deleted_while_it_comes_in_does_not_come_back(stack: Any, site: Site, before: int) -> None:
    # Given a picture that is indexed, and on its way in again in a batch that is held up
    data = picture(500)
    upload = stack.api.post("/v1/images", files={"files": ("a.jpg", data)}, headers={"Prefer": "wait=60"})
    assert upload.json()["counts"]["indexed"] == 1
    (image,) = stack.api.get("/v1/images").json()["items"]
    site.pages = {"/a.jpg": data, "/held.jpg": picture(501)}
    site.held = {"/held.jpg": Event()}
    paths = ["/a.jpg"] * before + ["/held.jpg"]
    job_id = start(stack, site, paths)
    with site.comes:
        assert site.comes.wait_for(lambda: "/held.jpg" in site.asked, WITHIN_S)

    # When it is deleted, and the batch goes on
    assert stack.api.delete(f"/v1/images/{image['id']}").status_code == 204
    site.held["/held.jpg"].set()
    job = stack.ended_job(job_id, WITHIN_S)

    # Then it is gone for good, with all that belongs to it
    assert job["counts"]["canceled"] == before
    assert job["counts"]["indexed"] == 1
    assert stack.api.get(f"/v1/images/{image['id']}").status_code == 404
    assert stack.api.get(image["thumbnail_url"]).status_code == 404
    assert [one["id"] for one in stack.api.get("/v1/images").json()["items"]] != [image["id"]]

    # And it can come in again later
    again = stack.api.post("/v1/images", files={"files": ("a.jpg", data)}, headers={"Prefer": "wait=60"})
    assert again.json()["counts"]["indexed"] == 1
