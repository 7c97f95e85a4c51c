"""Limits of keys, counted in a real Redis: requests of each key, and the pictures it brings in."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis import Redis
from starlette.testclient import TestClient

from sightline.errors import Unavailable
from sightline.queue.keys import Scope
from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.http.callers import Caller
from sightline_api.http.problems import ApiError
from sightline_api.http.rate_limits import RateLimits

KEY = "b41c9e07d25f8a63"
Connect = Callable[..., TestClient]


@pytest.fixture
def connect(settings: Settings, redis: Redis) -> Iterator[Connect]:
    """`connect(**settings)`: a gateway with a key, which the client sends."""
    opened: list[TestClient] = []

    def connect(**more: Any) -> TestClient:
        changed = settings.model_copy(update={"api_key": SecretStr(KEY)} | more)
        client = TestClient(create_app(changed), headers={"X-API-Key": KEY})
        opened.append(client)
        return client.__enter__()

    yield connect
    for client in opened:
        client.__exit__(None, None, None)
    redis.flushall()


def caller(name: str, *, rate: str | None = None, quota: str | None = None) -> Caller:
    return Caller(name, name, name, Scope.WRITE, None, rate, quota)


def key_with(client: TestClient, **terms: str) -> dict[str, str]:
    made = client.post("/v1/keys", json={"name": "shop", "scope": "write"} | terms)
    assert made.status_code == 201, made.text
    return {"X-API-Key": made.json()["key"]}


def upload(client: TestClient, *pictures: bytes, **headers: str) -> httpx.Response:
    files = [("files", (f"{number}.jpg", one)) for number, one in enumerate(pictures)]
    return client.post("/v1/images", files=files, headers=headers)


def limited(answer: httpx.Response, code: str) -> bool:
    wait_s = int(answer.headers.get("retry-after", 0))
    return (answer.status_code, answer.json().get("code"), wait_s > 0) == (429, code, True)


def test_requests_beyond_the_limit_wait(connect: Connect) -> None:
    client = connect(rate_limit="3/hour")
    assert [client.get("/v1/model").status_code for _ in range(3)] == [200] * 3
    refused = client.get("/v1/model")
    assert limited(refused, "rate_limited")
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    assert client.get("/healthz").status_code == 200


def test_gateways_count_together_and_keys_apart(connect: Connect) -> None:
    first, second = connect(rate_limit="4/hour"), connect(rate_limit="4/hour")
    shop = key_with(first, rate_limit="2/hour")
    other = key_with(first)
    assert [one.get("/v1/model", headers=shop).status_code for one in (first, second)] == [200, 200]
    assert limited(first.get("/v1/model", headers=shop), "rate_limited")
    assert limited(second.get("/v1/model", headers=shop), "rate_limited")
    assert [second.get("/v1/model", headers=other).status_code for _ in range(4)] == [200] * 4
    assert limited(first.get("/v1/model", headers=other), "rate_limited")
    assert [first.get("/v1/model").status_code for _ in range(3)] == [200, 200, 429]


def test_the_quota_counts_pictures_that_are_sent(
    connect: Connect, media_files: Callable[[], list[Path]]
) -> None:
    client = connect(ingest_quota="5/day")
    shop = key_with(client)
    assert upload(client, b"one", b"two", **shop).status_code == 202
    urls = [{"url": f"https://example.org/{number}.jpg"} for number in range(3)]
    kept = media_files()
    too_many = client.post(
        "/v1/ingest", json={"source": {"kind": "urls", "items": [*urls, *urls]}}, headers=shop
    )
    assert limited(too_many, "quota_exceeded")
    # What was refused counts nothing.
    assert (
        client.post("/v1/ingest", json={"source": {"kind": "urls", "items": urls}}, headers=shop).status_code
        == 202
    )
    refused = upload(client, b"three", **shop)
    assert limited(refused, "quota_exceeded")
    assert media_files() == kept
    assert client.get("/v1/jobs", headers=shop).json()["items"][0]["kind"] == "urls"
    assert upload(client, b"three").status_code == 202


def test_an_upload_that_goes_beyond_keeps_nothing(
    connect: Connect, media_files: Callable[[], list[Path]]
) -> None:
    client = connect(ingest_quota="2/day")
    kept = media_files()
    assert limited(upload(client, b"four", b"five", b"six"), "quota_exceeded")
    assert media_files() == kept
    assert client.get("/v1/jobs").json()["items"] == []


def test_what_is_sent_again_counts_once(connect: Connect) -> None:
    client = connect(ingest_quota="3/day")
    once = {"Idempotency-Key": "once"}
    first = upload(client, b"seven", **once)
    again = upload(client, b"seven", **once)
    assert first.status_code == again.status_code == 202
    assert first.json()["id"] == again.json()["id"]
    assert upload(client, b"eight", b"nine").status_code == 202
    assert limited(upload(client, b"ten"), "quota_exceeded")


def test_what_is_sent_again_goes_through_when_nothing_is_left(connect: Connect) -> None:
    client = connect(ingest_quota="1/day", max_active_jobs=1)
    once = {"Idempotency-Key": "the last one"}
    first = upload(client, b"eleven", **once)
    assert limited(upload(client, b"twelve"), "queue_full")
    again = upload(client, b"eleven", **once)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])


def test_what_brings_no_picture_in_is_not_stopped_by_a_quota(connect: Connect) -> None:
    client = connect(ingest_quota="1/day")
    job = upload(client, b"thirteen").json()["id"]
    assert limited(upload(client, b"fourteen"), "quota_exceeded")
    assert client.post("/v1/collections/images/export").status_code == 202
    assert client.post(f"/v1/jobs/{job}/retry").json().get("code") != "quota_exceeded"


def test_a_scan_for_duplicates_waits_for_room_in_the_queue(connect: Connect) -> None:
    client = connect(max_active_jobs=1)
    assert upload(client, b"fifteen").status_code == 202
    assert limited(client.post("/v1/duplicates/scan"), "queue_full")


def test_without_redis_requests_are_served_and_nothing_is_brought_in() -> None:
    limits = RateLimits("redis://127.0.0.1:1/0")
    shop = caller("shop", rate="1/day", quota="1/day")
    for _ in range(3):
        limits.count_request(shop)
    with pytest.raises(Unavailable, match="ingest quotas"):
        limits.take_quota(shop, 1)
    with pytest.raises(Unavailable, match="ingest quotas"):
        limits.check_quota(shop)


def test_the_sentence_says_whose_limit_it_is(redis: Redis, redis_url: str) -> None:
    limits = RateLimits(redis_url)
    shop = caller("shop", rate="1/day", quota="10/hour")
    limits.count_request(shop)
    with pytest.raises(ApiError, match="'shop' may send 1 per 1 day"):
        limits.count_request(shop)
    limits.take_quota(shop, 10)
    with pytest.raises(ApiError, match="'shop' may bring in 10 pictures per hour, and this request has 2"):
        limits.take_quota(shop, 2)
    limits.count_request(caller("other", rate="1/day"))
    limits.count_request(caller("unlimited"))
