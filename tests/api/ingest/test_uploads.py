"""Uploads: what comes in is stored as it comes, and nothing stays of what is refused."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import Request
from starlette.testclient import TestClient

from sightline.identity import sha256_of
from sightline.index import CollectionSpec
from sightline.index.edge.client import EdgeClient
from sightline.media import FolderMediaStore
from sightline.queue.ledger import Ledger
from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.http.pace import Pace
from sightline_api.http.problems import ApiError
from sightline_api.ingest.uploads import UPLOAD_PACE, received_upload

MediaFiles = Callable[[], list[Path]]
Field = tuple[str, tuple[str | None, bytes]]


def upload(client: TestClient, *fields: Field, **options: Any) -> httpx.Response:
    """POST a form of these fields, in this order; a field without a filename is no file."""
    return client.post("/v1/images", files=list(fields), **options)


def file(name: str, data: bytes = b"x") -> Field:
    return ("files", (name, data))


def text(name: str, value: str) -> Field:
    return (name, (None, value.encode()))


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_fields_and_files_come_in_any_order(client: TestClient, ledger: Ledger, settings: Settings) -> None:
    answer = upload(
        client,
        text("tags", "first"),
        file("a/ä.jpg", b"one"),
        text("metadata", '[{"sku": "A"}, {"sku": "B"}]'),
        file("b.jpg", b"two"),
        text("tags", "second"),
        text("on_duplicate", "update"),
        params={"collection": "ordered"},
    )

    assert answer.status_code == 202, answer.text
    job = ledger.job(answer.json()["id"])
    assert answer.headers["location"] == f"/v1/jobs/{job.id}"
    assert (job.request.source.kind, job.request.collection) == ("upload", "ordered")
    assert (job.request.tags, job.request.on_duplicate) == (("first", "second"), "update")
    refs = ledger.refs(job.id, 0, 10)
    assert [(ref.uri, ref.sha256, ref.metadata) for ref in refs] == [
        ("upload:a/%C3%A4.jpg", sha256_of(b"one"), {"sku": "A"}),
        ("upload:b.jpg", sha256_of(b"two"), {"sku": "B"}),
    ]
    media = FolderMediaStore(settings.media_dir)
    assert [media.read_original("ordered", ref.sha256 or "") for ref in refs] == [b"one", b"two"]


def test_one_object_of_metadata_is_every_files(client: TestClient, ledger: Ledger) -> None:
    answer = upload(client, file("a", b"1"), file("b", b"2"), text("metadata", '{"shop": 7}'))

    refs = ledger.refs(answer.json()["id"], 0, 10)
    assert [ref.metadata for ref in refs] == [{"shop": 7}] * 2


LARGE = json.dumps({"text": "x" * (64 << 10)})


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ([file(f"{number}.jpg") for number in range(4)], 413, "too_many_files"),
        ([file("good.jpg"), file("large.jpg", bytes(2_000_001))], 413, "too_many_bytes"),
        ([text("tags", "no file")], 422, "validation_failed"),
        ([file("good.jpg"), text("files", "text")], 422, "validation_failed"),
        ([file("good.jpg"), ("file", ("a.jpg", b"x"))], 422, "validation_failed"),
        ([file("good.jpg"), text("tag", "misspelt")], 422, "validation_failed"),
        ([file("good.jpg"), text("tags", "")], 422, "validation_failed"),
        ([file("good.jpg"), text("tags", "x" * 257)], 422, "validation_failed"),
        ([file("good.jpg"), text("tags", "x" * 2000)], 422, "validation_failed"),
        ([file("good.jpg"), ("tags", (None, b"\xff"))], 422, "validation_failed"),
        ([file("good.jpg"), *[text("tags", str(number)) for number in range(101)]], 422, "validation_failed"),
        ([file("good.jpg"), text("on_duplicate", "replace")], 422, "validation_failed"),
        ([file("good.jpg"), *[text("metadata", "{}")] * 2], 422, "validation_failed"),
        ([file("good.jpg"), text("metadata", LARGE)], 422, "bad_metadata"),
        ([file("good.jpg"), text("metadata", '{"a": NaN}')], 422, "bad_metadata"),
        ([file("good.jpg"), text("metadata", '{"a": "\\ud800"}')], 422, "bad_metadata"),
        ([file("good.jpg"), text("metadata", "[" * 100_000)], 422, "bad_metadata"),
        ([file("good.jpg"), text("metadata", '{"a":[' + "[]," * 400_000 + "[]]}")], 422, "bad_metadata"),
        ([file("good.jpg"), text("metadata", '{"a":' * 40 + "1" + "}" * 40)], 422, "bad_metadata"),
        ([file("good.jpg"), text("metadata", " " * (5 << 20))], 422, "validation_failed"),
    ],
)
def test_what_cannot_be_taken_leaves_nothing(
    client: TestClient, ledger: Ledger, media_files: MediaFiles, fields: list[Field], status: int, code: str
) -> None:
    before = media_files()

    answer = upload(client, *fields)

    assert code_of(answer) == (status, code), answer.text
    assert media_files() == before
    assert ledger.active_count() == 0


def test_faults_name_the_field(client: TestClient) -> None:
    for fields, location in (
        ([text("tags", "a")], "body.files"),
        ([file("a"), text("tag", "a")], "body.tag"),
        ([file("a"), text("tags", "a"), text("tags", "")], "body.tags.1"),
    ):
        (fault,) = upload(client, *fields).json()["errors"]
        assert fault["location"] == location


def test_a_body_that_is_no_form(client: TestClient) -> None:
    assert code_of(client.post("/v1/images", json={})) == (415, "unsupported_media_type")
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert code_of(client.post("/v1/images", content=b"--x", headers=headers)) == (400, "malformed_upload")


def test_the_form_is_documented(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/v1/images"]["post"]
    schema = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(schema["properties"]) == {"files", "tags", "metadata", "on_duplicate"}
    assert schema["required"] == ["files"]
    named = {parameter["name"] for parameter in operation["parameters"]}
    assert {"collection", "prefer", "idempotency-key"} <= named


def test_a_file_without_a_name_is_taken(client: TestClient, ledger: Ledger) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename=""\r\n\r\none\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post("/v1/images", content=body, headers=headers)

    assert ledger.refs(answer.json()["id"], 0, 10)[0].uri == "upload:unnamed"


def test_a_job_that_cannot_be_recorded_leaves_nothing_behind(
    client: TestClient, index_socket: Path, media_files: MediaFiles
) -> None:
    with closing(EdgeClient(index_socket)) as index:
        index.ensure_collection(CollectionSpec("foreign", space="another", dimension=8, fields={}))
    before = media_files()

    answer = upload(client, file("a.jpg", b"of another model"), params={"collection": "foreign"})

    assert code_of(answer) == (409, "space_mismatch")
    assert media_files() == before


def test_a_client_that_says_nothing_more_is_left(settings: Settings, media_files: MediaFiles) -> None:
    before = media_files()
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nsome'

    assert refusal(settings, [head, None]) == (408, "upload_stalled")
    assert media_files() == before


def test_a_client_that_goes_away_leaves_nothing(settings: Settings, media_files: MediaFiles) -> None:
    before = media_files()
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nsome'

    assert refusal(settings, [head, b"", b"more"]) == (400, "upload_broke_off")
    assert media_files() == before


def test_a_client_that_trickles_is_left(settings: Settings, media_files: MediaFiles) -> None:
    before = media_files()
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nsome'
    slowest = Pace(grace_s=0.0, bytes_per_s=1e9)

    assert refusal(settings, [head, None], silence_s=60, pace=slowest) == (408, "upload_stalled")
    assert media_files() == before


def refusal(
    settings: Settings, body: list[bytes | None], *, silence_s: float = 0.05, pace: Pace = UPLOAD_PACE
) -> tuple[int, str]:
    """How an upload of these pieces ends; None is silence, an empty piece the client going away."""
    pieces = iter(body)

    async def receive() -> dict[str, Any]:
        piece = next(pieces)
        if piece is None:
            await anyio.sleep_forever()
        if not piece:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": True}

    async def run() -> tuple[int, str]:
        headers = [(b"content-type", b"multipart/form-data; boundary=x")]
        request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
        media = FolderMediaStore(settings.media_dir)
        with pytest.raises(ApiError) as caught:
            async with received_upload(request, media, "images", settings, silence_s=silence_s, pace=pace):
                pass
        return caught.value.status.value, caught.value.code

    return anyio.run(run)


def test_an_upload_into_the_last_room_is_refused(settings: Settings) -> None:
    short = settings.model_copy(update={"min_free_bytes": 1 << 60})
    with TestClient(create_app(short)) as client:
        answer = upload(client, file("a.jpg"))
        assert code_of(answer) == (507, "storage_full")
        assert int(answer.headers["retry-after"]) > 0
        assert "SIGHTLINE_MIN_FREE_BYTES" in answer.json()["detail"]
