"""Jobs are canceled and retried."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from redis import Redis
from starlette.testclient import TestClient

from sightline.errors import CollectionNotFound, FailureReason
from sightline.index import VectorIndex
from sightline.queue.job_records import job_key
from sightline.queue.jobs import Batch, BatchOutcome, Failure, Job, JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import FolderSource, Item, PictureRef, Refusal, SourceKind
from sightline_api.gateway import Gateway

REQUEST = JobRequest(
    collection="others",
    source=FolderSource(path="/photos"),
    tags=("t",),
    metadata={"shop": 1},
    on_duplicate="update",
)
REFUSED = Refusal(reason=FailureReason.ARCHIVE_MEMBER_UNSAFE, detail="it leads out")


@pytest.fixture(autouse=True)
def index(client: TestClient) -> Iterator[VectorIndex]:
    """The index, with the collection of the jobs in it."""
    gateway: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
    gateway.ensure_collection(REQUEST.collection)
    yield gateway.index
    with suppress(CollectionNotFound):
        gateway.index.drop_collection(REQUEST.collection)


def item(number: int) -> Item:
    """The pictures of an archive; every tenth was refused when it was listed."""
    return Item(
        number=number,
        kind=SourceKind.ARCHIVE,
        uri=f"file:///photos/all.zip#{number}.jpg",
        tags=(str(number),),
        metadata={"n": number},
        refused=None if number % 10 else REFUSED,
    )


def plan(ledger: Ledger, job: Job, items: int) -> Batch:
    batch = Batch(id="0", items=tuple(item(number) for number in range(items)))
    assert ledger.plan_batch(job.id, batch, cursor="c")
    return batch


def job_with_failures(ledger: Ledger, items: int) -> Job:
    """An ended job in which every picture failed: refused, else even ones truncated, odd ones empty."""
    job = ledger.create(REQUEST)
    batch = plan(ledger, job, items)
    failures = tuple(
        Failure(item=one, reason=reason_of(one), detail="why", attempts=1, at=datetime.now(UTC))
        for one in batch.items
    )
    ledger.end_listing(job.id)
    ledger.set_outcome(job.id, batch.id, BatchOutcome(indexed=0, unchanged=0, failures=failures))
    return job


def reason_of(one: Item) -> FailureReason:
    if one.refused:
        return one.refused.reason
    return FailureReason.EMPTY if one.number % 2 else FailureReason.TRUNCATED


def refs_of(ledger: Ledger, answer: httpx.Response) -> list[PictureRef]:
    assert answer.status_code == 202, answer.text
    return list(ledger.refs(answer.json()["id"], 0, 5000))


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_links_lead_on(client: TestClient, ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    links = client.get(f"/v1/jobs/{job.id}").json()["links"]
    here = f"/v1/jobs/{job.id}"
    parts = ("failures", "events", "cancel", "retry")
    assert links == {"self": here} | {part: f"{here}/{part}" for part in parts}


def test_cancel_stops_what_nobody_started(client: TestClient, ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    plan(ledger, job, 5)

    answer = client.post(f"/v1/jobs/{job.id}/cancel")

    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["counts"]["canceled"]) == ("canceled", 5)
    assert ledger.claim(job.id, "0") is None


def test_cancel_leaves_a_batch_that_runs_to_its_end(client: TestClient, ledger: Ledger) -> None:
    job = ledger.create(REQUEST)
    plan(ledger, job, 5)
    ledger.claim(job.id, "0")

    assert client.post(f"/v1/jobs/{job.id}/cancel").json()["state"] == "running"
    ledger.set_outcome(job.id, "0", BatchOutcome(indexed=5, unchanged=0))
    assert client.get(f"/v1/jobs/{job.id}").json()["state"] == "canceled"


def test_cancel_of_an_ended_job_changes_nothing(client: TestClient, ledger: Ledger) -> None:
    job = job_with_failures(ledger, 3)
    before = client.get(f"/v1/jobs/{job.id}").json()

    for _ in range(2):
        answer = client.post(f"/v1/jobs/{job.id}/cancel")
        assert (answer.status_code, answer.json()) == (200, before)
    assert code_of(client.post("/v1/jobs/none/cancel")) == (404, "job_not_found")


def test_retry_is_a_job_of_what_failed_with_all_that_was_asked_for(
    client: TestClient, ledger: Ledger
) -> None:
    job = job_with_failures(ledger, 1203)

    answer = client.post(f"/v1/jobs/{job.id}/retry")

    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    assert answer.json()["kind"] == "retry"
    request = ledger.job(answer.json()["id"]).request
    assert request.source.model_dump() == {"kind": "retry", "retry_of": job.id}
    assert request.model_copy(update={"source": REQUEST.source}) == REQUEST
    refs = refs_of(ledger, answer)
    assert refs == [PictureRef(**item(number).model_dump(exclude={"number"})) for number in range(1203)]
    assert [ref.refused for ref in refs[:2]] == [REFUSED, None]


@pytest.mark.parametrize(
    ("reason", "numbers"),
    [
        ("empty", range(1, 600, 2)),
        ("truncated", [number for number in range(0, 600, 2) if number % 10]),
        ("archive_member_unsafe", range(0, 600, 10)),
    ],
)
def test_retry_by_reason_takes_only_those(
    client: TestClient, ledger: Ledger, reason: str, numbers: list[int]
) -> None:
    job = job_with_failures(ledger, 600)

    answer = client.post(f"/v1/jobs/{job.id}/retry", json={"reason": reason})

    assert [ref.metadata["n"] for ref in refs_of(ledger, answer)] == list(numbers)


ABOUT_A_JOB = [
    ("GET", "/v1/jobs/{}"),
    ("POST", "/v1/jobs/{}/cancel"),
    ("POST", "/v1/jobs/{}/retry"),
    ("GET", "/v1/jobs/{}/failures"),
    ("GET", "/v1/jobs/{}/events"),
    ("GET", "/v1/exports/{}/export.json"),
    ("DELETE", "/v1/exports/{}"),
]


@pytest.mark.parametrize(("method", "path"), ABOUT_A_JOB)
@pytest.mark.parametrize("part", [":reasons", ":failures", "0", "%ED%A0%80"])
def test_what_is_kept_of_a_job_is_no_job(
    client: TestClient, ledger: Ledger, method: str, path: str, part: str
) -> None:
    job = job_with_failures(ledger, 3)
    assert code_of(client.request(method, path.format(job.id + part))) == (404, "job_not_found")


def test_nothing_to_retry(client: TestClient, ledger: Ledger) -> None:
    running, done = ledger.create(REQUEST), ledger.create(REQUEST)
    plan(ledger, running, 1)
    ledger.end_listing(done.id)
    failed = job_with_failures(ledger, 1)

    assert code_of(client.post(f"/v1/jobs/{running.id}/retry")) == (409, "job_running")
    assert code_of(client.post(f"/v1/jobs/{done.id}/retry")) == (409, "nothing_to_retry")
    only_other = client.post(f"/v1/jobs/{failed.id}/retry", json={"reason": "decode_timeout"})
    assert code_of(only_other) == (409, "nothing_to_retry")
    assert "decode_timeout" in only_other.json()["detail"]
    assert code_of(client.post("/v1/jobs/none/retry")) == (404, "job_not_found")
    wrong = client.post(f"/v1/jobs/{failed.id}/retry", json={"reason": "none"})
    assert code_of(wrong) == (422, "validation_failed")
    assert ledger.active() == [running.id]


def test_retry_makes_no_collection_that_was_deleted(
    client: TestClient, ledger: Ledger, index: VectorIndex
) -> None:
    job = job_with_failures(ledger, 1)
    index.drop_collection(REQUEST.collection)

    assert code_of(client.post(f"/v1/jobs/{job.id}/retry")) == (404, "collection_not_found")
    assert REQUEST.collection not in [info.name for info in index.collections()]
    assert ledger.active() == []


def test_failures_of_a_rare_reason_are_found_page_by_page(
    client: TestClient, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.queue.pages.MOST_FAILURES_LOOKED_AT", 7)
    job = job_with_failures(ledger, 30)
    asked: dict[str, Any] = {"reason": "archive_member_unsafe", "limit": 2}
    found, pages = [], 0
    while pages == 0 or asked["cursor"]:
        page = client.get(f"/v1/jobs/{job.id}/failures", params=asked).json()
        found += [one["source"] for one in page["items"]]
        asked["cursor"], pages = page["next_cursor"], pages + 1

    assert found == [item(number).uri for number in (0, 10, 20)]
    assert pages == 5


def test_retry_under_one_key_is_one_job(client: TestClient, ledger: Ledger) -> None:
    job = job_with_failures(ledger, 20)

    def retry(body: dict[str, str]) -> httpx.Response:
        return client.post(f"/v1/jobs/{job.id}/retry", json=body, headers={"Idempotency-Key": "k"})

    first = retry({})
    assert retry({}).headers["location"] == first.headers["location"]
    assert code_of(retry({"reason": "empty"})) == (422, "idempotency_key_reused")
    assert ledger.active_count() == 1


def test_retry_under_one_key_is_one_job_when_what_it_retries_is_gone(
    client: TestClient, ledger: Ledger, redis: Redis
) -> None:
    job = job_with_failures(ledger, 1)
    retry, key = f"/v1/jobs/{job.id}/retry", {"Idempotency-Key": "k"}
    first = client.post(retry, headers=key)
    redis.delete(job_key(job.id))

    again = client.post(retry, headers=key)
    assert (again.status_code, again.headers["location"]) == (202, first.headers["location"])
    assert code_of(client.post(retry)) == (404, "job_not_found")


def test_jobs_are_found_page_by_page_among_others(
    client: TestClient, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.queue.pages.MOST_JOBS_LOOKED_AT", 2)
    jobs = [ledger.create(REQUEST) for _ in range(7)]
    for one in (jobs[0], jobs[3], jobs[4]):
        ledger.end_listing(one.id)
    asked: dict[str, Any] = {"state": "succeeded", "limit": 1}
    found, pages = [], 0
    while pages == 0 or asked["cursor"]:
        page = client.get("/v1/jobs", params=asked).json()
        found += [one["id"] for one in page["items"]]
        asked["cursor"], pages = page["next_cursor"], pages + 1

    assert found == [jobs[4].id, jobs[3].id, jobs[0].id]
