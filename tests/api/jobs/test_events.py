"""A job's life, as those who listen are told it."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import anyio
import anyio.to_thread
import pytest
from redis import Redis
from starlette.testclient import TestClient

from sightline.errors import JobNotFound, Unavailable
from sightline.queue.jobs import Batch, BatchOutcome, Job, JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import FolderSource, Item, SourceKind
from sightline_api.gateway import Gateway
from sightline_api.jobs import events
from sightline_api.jobs.events import JobEvents

REQUEST = JobRequest(collection="images", source=FolderSource(path="/photos"))
Told = tuple[str, dict[str, Any]]


def plan(ledger: Ledger, job: Job, batch_id: str, items: int) -> None:
    found = tuple(
        Item(number=number, kind=SourceKind.FOLDER, uri=f"file:///{number}") for number in range(items)
    )
    assert ledger.plan_batch(job.id, Batch(id=batch_id, items=found), cursor="c")


def end(ledger: Ledger, job: Job, batch_id: str, indexed: int) -> None:
    ledger.set_outcome(job.id, batch_id, BatchOutcome(indexed=indexed, unchanged=0))


def events_of(lines: Iterator[str]) -> Iterator[Told]:
    """Events as a browser reads them; comments are passed over."""
    name = ""
    for line in lines:
        if line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            yield name, json.loads(line.removeprefix("data:"))


def test_too_many_listeners_are_refused(
    client: TestClient, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ledger.create(REQUEST)
    monkeypatch.setattr(events, "MOST_LISTENERS", 0)
    refused = client.get(f"/v1/jobs/{job.id}/events")
    assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")


class StuckLedger:
    """How a ledger answers that does not until it is `freed`; `asked` when somebody waits for it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.asked, self.freed = Event(), Event()

    def job(self, job_id: str) -> Job:
        self.asked.set()
        assert self.freed.wait(20)
        return self._ledger.job(job_id)


def test_who_waits_for_the_job_counts_as_a_listener_and_takes_no_thread_of_others(
    client: TestClient, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ledger.create(REQUEST)
    ledger.stop(job.id)
    stuck = StuckLedger(ledger)
    gateway: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
    assert client.portal is not None
    threads = client.portal.call(anyio.to_thread.current_default_thread_limiter)
    monkeypatch.setattr(events, "MOST_LISTENERS", 1)
    with monkeypatch.context() as redis_hangs, ThreadPoolExecutor(1) as pool:
        redis_hangs.setattr(gateway.ledger, "job", stuck.job)
        first = pool.submit(client.get, f"/v1/jobs/{job.id}/events")
        assert stuck.asked.wait(20)
        assert threads.borrowed_tokens == 0
        assert client.get(f"/v1/jobs/{job.id}/events").status_code == 429
        stuck.freed.set()
        assert first.result(20).status_code == 200


def test_who_is_told_nothing_is_no_listener_any_more(
    client: TestClient, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ledger.create(REQUEST)
    ledger.stop(job.id)
    monkeypatch.setattr(events, "MOST_LISTENERS", 1)
    path = f"/v1/jobs/{job.id}/events"
    assert client.get("/v1/jobs/none/events").status_code == 404
    with pytest.raises(ConnectionError, match="gone before the answer"):
        ask_and_go(client, path)
    assert client.get(path).status_code == 200


def ask_and_go(client: TestClient, path: str) -> None:
    """A request whose client has gone when the answer begins."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "scheme": "http",
        "http_version": "1.1",
        "state": {},
    }

    async def receive() -> dict[str, Any]:
        await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        raise ConnectionError("gone before the answer")

    assert client.portal is not None
    client.portal.call(client.app, scope, receive, send)


def test_a_real_client_sees_the_job_to_its_end(served: Any, ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    with served.api.stream("GET", f"/v1/jobs/{job.id}/events") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        events = events_of(answer.iter_lines())

        name, told = next(events)
        assert (name, told["state"], told["counts"]["total"]) == ("progress", "queued", 0)
        plan(ledger, job, "0", 3)
        name, told = next(events)
        assert (name, told["state"], told["counts"]["pending"]) == ("progress", "running", 3)
        ledger.end_listing(job.id)
        name, told = next(events)
        assert (name, told["total_known"]) == ("progress", True)
        end(ledger, job, "0", 3)
        name, told = next(events)
        assert (name, told["state"]) == ("progress", "succeeded")
        name, told = next(events)
        assert (name, told) == ("done", served.api.get(f"/v1/jobs/{job.id}").json())
        assert list(events) == []


def test_a_job_that_is_not_there_is_said_before_the_stream(served: Any) -> None:
    answer = served.api.get("/v1/jobs/none/events")
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


def test_a_server_that_stops_ends_its_streams(serve: Any, ledger: Ledger, tmp_path: Path) -> None:
    job = ledger.create(REQUEST)
    with (
        serve(tmp_path) as served,
        served.api.stream("GET", f"/v1/jobs/{job.id}/events") as answer,
    ):
        events = events_of(answer.iter_lines())
        next(events)
        began = time.monotonic()
        served.process.terminate()
        # An answer that is cut off instead of ended would raise here.
        assert list(events) == []
        # uvicorn ends by the signal that it was told to end by.
        assert served.process.wait(30) == -signal.SIGTERM
        # Less than the 25 s after which a server cuts off what has not ended.
        assert time.monotonic() - began < 20


class WatchedLedger(Ledger):
    """A ledger that can be away, and says how often it was asked for a job."""

    asked = 0
    away: Exception | None = None
    on_asked: Callable[[int], None] = staticmethod(lambda _: None)

    def job(self, job_id: str) -> Job:
        self.asked += 1
        self.on_asked(self.asked)
        if self.away is not None:
            raise self.away
        return super().job(job_id)


@pytest.fixture
def watched(redis: Redis) -> WatchedLedger:
    return WatchedLedger(redis, timedelta(days=1))


def listen(ledger: Ledger, job: Job, gone: Event | None = None) -> list[Told]:
    """The events of a job, until they end or the client is `gone`."""
    sent: list[bytes] = []

    async def run() -> None:
        async def receive() -> dict[str, Any]:
            while gone is None or not gone.is_set():
                await anyio.sleep(0.01)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))

        response = await JobEvents().stream(partial(ledger.job, job.id))
        with anyio.fail_after(20):
            await response({"type": "http", "method": "GET"}, receive, send)

    anyio.run(run)
    return list(events_of(iter(b"".join(sent).decode().splitlines())))


def test_an_ended_job_is_told_at_once(ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    ledger.stop(job.id)
    assert [name for name, _ in listen(ledger, job)] == ["progress", "done"]


def test_nothing_is_said_while_nothing_changes(ledger: Ledger, watched: WatchedLedger) -> None:
    job = ledger.create(REQUEST)
    watched.on_asked = lambda asked: ledger.stop(job.id) if asked == 4 else None

    events = listen(watched, job)

    assert [(name, told["state"]) for name, told in events] == [
        ("progress", "queued"),
        ("progress", "canceled"),
        ("done", "canceled"),
    ]


def test_a_redis_that_goes_and_comes_back_does_not_end_the_stream(
    ledger: Ledger, watched: WatchedLedger
) -> None:
    job = ledger.create(REQUEST)

    def happen(asked: int) -> None:
        watched.away = Unavailable("Redis", "gone") if asked in (2, 3) else None
        if asked == 3:
            ledger.stop(job.id)

    watched.on_asked = happen

    assert [name for name, _ in listen(watched, job)] == ["progress", "progress", "done"]
    assert watched.asked == 4


def test_a_record_that_expires_ends_the_stream(ledger: Ledger, watched: WatchedLedger) -> None:
    job = ledger.create(REQUEST)

    def happen(asked: int) -> None:
        watched.away = JobNotFound(job.id) if asked > 1 else None

    watched.on_asked = happen
    assert [name for name, _ in listen(watched, job)] == ["progress"]


def test_a_client_that_goes_is_not_told_any_more(ledger: Ledger, watched: WatchedLedger) -> None:
    job = ledger.create(REQUEST)
    gone = Event()
    watched.on_asked = lambda asked: gone.set() if asked == 2 else None

    assert [name for name, _ in listen(watched, job, gone)] == ["progress"]
    assert watched.asked <= 3
