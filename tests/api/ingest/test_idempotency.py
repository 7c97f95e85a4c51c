"""The same key with the same request is one job."""

from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from sightline.queue.ledger import Ledger
from sightline.settings import Settings
from sightline_api.app import create_app

URLS = {"source": {"kind": "urls", "items": [{"url": "https://example.org/a.jpg"}]}}


def ingest(client: TestClient, key: str, body: Any = URLS, **headers: str) -> httpx.Response:
    return client.post("/v1/ingest", json=body, headers={"Idempotency-Key": key, **headers})


def upload(client: TestClient, key: str, *data: bytes, **fields: str) -> httpx.Response:
    files = [("files", (f"{number}.jpg", one)) for number, one in enumerate(data)]
    return client.post("/v1/images", files=files, data=fields, headers={"Idempotency-Key": key})


def same_job(first: httpx.Response, *others: httpx.Response) -> bool:
    assert first.status_code == 202, first.text
    return all(
        (other.status_code, other.headers.get("location")) == (202, first.headers["location"])
        for other in others
    )


def refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json().get("code")) == (422, "idempotency_key_reused")


def test_ingest(client: TestClient, ledger: Ledger) -> None:
    first = ingest(client, "k")
    assert same_job(first, ingest(client, "k"), ingest(client, "k", URLS | {"on_duplicate": "skip"}))
    assert refused(ingest(client, "k", URLS | {"tags": ["more"]}))
    assert refused(ingest(client, "k", URLS | {"collection": "others"}))
    assert not same_job(first, ingest(client, "another"))
    assert not same_job(first, client.post("/v1/ingest", json=URLS))


def test_upload(client: TestClient, ledger: Ledger, media_files: Any) -> None:
    first = upload(client, "k", b"one", b"two", tags="t")
    kept = media_files()
    assert same_job(first, upload(client, "k", b"one", b"two", tags="t"))
    for data, fields in (
        ((b"one", b"three"), {"tags": "t"}),
        ((b"two", b"one"), {"tags": "t"}),
        ((b"one", b"two"), {"tags": "u"}),
        ((b"one", b"two"), {"tags": "t", "metadata": '{"a": 1}'}),
        ((b"one", b"two"), {"tags": "t", "on_duplicate": "update"}),
    ):
        assert refused(upload(client, "k", *data, **fields))
    assert media_files() == kept


def test_one_key_is_anothers_on_another_route(client: TestClient, ledger: Ledger) -> None:
    assert not same_job(ingest(client, "k"), upload(client, "k", b"one"))


def test_a_job_that_has_ended_is_still_the_answer(client: TestClient, ledger: Ledger) -> None:
    first = ingest(client, "k")
    ledger.stop(first.json()["id"])

    again = ingest(client, "k")

    assert same_job(first, again)
    assert again.json()["state"] == "canceled"


def test_holders_of_different_keys_do_not_meet(settings: Settings, ledger: Ledger) -> None:
    jobs = []
    for api_key in ("right", "other"):
        guarded = settings.model_copy(update={"api_key": SecretStr(api_key)})
        with TestClient(create_app(guarded)) as client:
            answers = [
                ingest(client, "k", Authorization=f"Bearer {api_key}"),
                ingest(client, "k", **{"X-API-Key": api_key}),
            ]
            assert same_job(*answers)
            jobs.append(answers[0])
    assert not same_job(*jobs)


@pytest.mark.parametrize("kind", ["folder", "archive", "manifest"])
def test_what_a_path_named_may_be_gone_by_now(
    client: TestClient, settings: Settings, ledger: Ledger, kind: str
) -> None:
    place = settings.import_roots[0] / "soon-gone.csv"
    body = {"source": {"kind": kind, "path": str(place)}}
    if kind == "folder":
        place.mkdir()
    else:
        place.touch()
    first = ingest(client, "k", body)
    if kind == "folder":
        place.rmdir()
    else:
        place.unlink()

    assert same_job(first, ingest(client, "k", body))
    assert refused(ingest(client, "k", body | {"tags": ["more"]}))
    assert ingest(client, "another", body).status_code == 422
    assert ledger.active() == [first.json()["id"]]


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_keys_have_a_length(client: TestClient, key: str) -> None:
    answer = ingest(client, key)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert ingest(client, "k" * 255).status_code == 202
