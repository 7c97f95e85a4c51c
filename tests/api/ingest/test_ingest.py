"""Sources of pictures: what may be named, and what is recorded of it."""

import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from sightline.queue.ledger import Ledger
from sightline.queue.sources import PictureRef, SourceKind
from sightline.settings import Settings


@pytest.fixture
def photos(settings: Settings) -> Path:
    return settings.import_roots[0]


def ingest(client: TestClient, source: dict[str, Any], **more: Any) -> httpx.Response:
    return client.post("/v1/ingest", json={"source": source, **more})


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def urls(*items: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "urls", "items": list(items)}


def test_a_folder_is_recorded_with_links_followed(client: TestClient, ledger: Ledger, photos: Path) -> None:
    (photos / "real").mkdir(exist_ok=True)
    (photos / "link").unlink(missing_ok=True)
    (photos / "link").symlink_to(photos / "real")

    answer = ingest(
        client,
        {"kind": "folder", "path": str(photos / "link"), "sync": True},
        tags=["a"],
        metadata={"shop": 1},
        on_duplicate="update",
        collection="others",
    )

    assert answer.status_code == 202, answer.text
    request = ledger.job(answer.json()["id"]).request
    assert request.source.model_dump() == {
        "kind": "folder",
        "path": str(photos / "real"),
        "recursive": True,
        "sync": True,
    }
    assert (request.collection, request.tags, request.metadata) == ("others", ("a",), {"shop": 1})
    assert request.on_duplicate == "update"


def test_urls_are_recorded_with_what_is_said_of_each(client: TestClient, ledger: Ledger) -> None:
    items = (
        {"url": "https://example.org/a b.jpg".replace(" ", "%20"), "tags": ["x"], "metadata": {"n": 1}},
        {"url": "http://10.0.0.1:8080/b.jpg?size=large"},
    )
    answer = ingest(client, urls(*items))

    job = answer.json()
    assert (answer.status_code, job["kind"]) == (202, "urls")
    assert ledger.refs(job["id"], 0, 10) == [
        PictureRef(kind=SourceKind.URL, uri="https://example.org/a%20b.jpg", tags=("x",), metadata={"n": 1}),
        PictureRef(kind=SourceKind.URL, uri="http://10.0.0.1:8080/b.jpg?size=large"),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a.jpg",
        "file:///etc/passwd",
        "example.org/a.jpg",
        "https://",
        "https:///a.jpg",
        "https://name:secret@example.org/a.jpg",
        "https://name@example.org/a.jpg",
        "https://example.org/a b.jpg",
        "https://exa\tmple.org/a.jpg",
        "https://[::1/a.jpg",
        "https://example.org/\ud800.jpg",
        "https://example.org/" + "a" * 8192,
        "",
    ],
)
def test_a_url_that_is_not_fetched_is_named(client: TestClient, ledger: Ledger, url: str) -> None:
    body = json.dumps({"source": urls({"url": "https://example.org/fine.jpg"}, {"url": url})})
    answer = client.post("/v1/ingest", content=body, headers={"Content-Type": "application/json"})

    assert code_of(answer) == (422, "validation_failed")
    (fault,) = answer.json()["errors"]
    assert fault["location"] == "body.source.urls.items.1.url"
    assert "secret" not in answer.text
    assert ledger.active_count() == 0


def test_more_urls_than_a_request_takes_should_be_a_manifest(client: TestClient, ledger: Ledger) -> None:
    many = [{"url": f"https://example.org/{number}.jpg"} for number in range(10_001)]

    refused = ingest(client, urls(*many))
    assert code_of(refused) == (413, "too_many_urls")
    assert "manifest" in refused.json()["detail"]

    taken = ingest(client, urls(*many[:10_000]))
    assert taken.status_code == 202
    assert len(ledger.refs(taken.json()["id"], 0, 20_000)) == 10_000


def test_a_body_that_would_not_fit_into_memory(client: TestClient) -> None:
    item = {"url": "https://example.org/a.jpg", "metadata": {"text": "x" * 60_000}}
    assert code_of(ingest(client, urls(*[item] * 300))) == (413, "request_too_large")


@pytest.mark.parametrize("kind", ["archive", "manifest"])
def test_files_lie_in_an_import_root(
    client: TestClient, ledger: Ledger, photos: Path, tmp_path: Path, kind: str
) -> None:
    inside, outside = photos / "pictures.zip", tmp_path / "pictures.zip"
    for path in (inside, outside):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.jpg", b"x")
    (photos / "leads-out.zip").unlink(missing_ok=True)
    (photos / "leads-out.zip").symlink_to(outside)

    taken = ingest(client, {"kind": kind, "path": str(inside)})
    assert taken.status_code == 202, taken.text
    assert ledger.job(taken.json()["id"]).request.source.model_dump()["path"] == str(inside)
    for path in (outside, photos / "leads-out.zip", photos / ".." / "pictures.zip", Path("pictures.zip")):
        assert code_of(ingest(client, {"kind": kind, "path": str(path)})) == (403, "path_not_allowed")
    for path in (photos / "none.zip", photos):
        assert code_of(ingest(client, {"kind": kind, "path": str(path)})) == (422, "file_not_found")


@pytest.mark.parametrize("kind", ["archive", "manifest"])
def test_files_on_the_web_are_named_by_a_url(client: TestClient, kind: str) -> None:
    assert ingest(client, {"kind": kind, "url": "https://example.org/all"}).status_code == 202
    for place in (
        {"url": "file:///etc/passwd"},
        {"url": "https://a@b/c"},
        {},
        {"url": "https://a", "path": "/a"},
    ):
        assert code_of(ingest(client, {"kind": kind, **place})) == (422, "validation_failed")


def test_a_folder_that_is_none_or_lies_elsewhere(client: TestClient, photos: Path) -> None:
    assert code_of(ingest(client, {"kind": "folder", "path": "/etc"})) == (403, "path_not_allowed")
    nowhere = {"kind": "folder", "path": str(photos / "nowhere")}
    assert code_of(ingest(client, nowhere)) == (422, "folder_not_found")
    too_long = {"kind": "folder", "path": str(photos / ("a" * 300))}
    assert code_of(ingest(client, too_long)) == (403, "path_not_allowed")


def test_buckets_are_those_that_may_be_imported(client: TestClient, ledger: Ledger) -> None:
    for url in ("s3://photos/2024/", "s3://photos/2024/may"):
        taken = ingest(client, {"kind": "bucket", "url": url})
        assert taken.status_code == 202, taken.text
        assert ledger.job(taken.json()["id"]).request.source.model_dump() == {"kind": "bucket", "url": url}
    shard = {"kind": "archive", "url": "s3://photos/2024/shard.tar"}
    assert ingest(client, shard).status_code == 202
    for source in (
        {"kind": "bucket", "url": "s3://photos/"},
        {"kind": "bucket", "url": "s3://photos/2024/../private"},
        {"kind": "bucket", "url": "gs://photos/2024/"},
        {"kind": "archive", "url": "s3://private/shard.tar"},
    ):
        assert code_of(ingest(client, source)) == (403, "bucket_not_allowed")
    for url in ("https://photos.example.org/", "photos", "s3://"):
        assert code_of(ingest(client, {"kind": "bucket", "url": url})) == (422, "bucket_url_invalid")


@pytest.mark.parametrize("kind", ["folder", "archive", "manifest"])
@pytest.mark.parametrize("path", ["/photos/a\0b", "/photos/\ud800", "/" + "a" * 5000, "", "."])
def test_paths_that_cannot_be(client: TestClient, photos: Path, kind: str, path: str) -> None:
    body = json.dumps({"source": {"kind": kind, "path": path.replace("/photos", str(photos))}})
    answer = client.post("/v1/ingest", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (403, 422), answer.text


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "bucket", "url": "s3://photos/2024/\ud800"},
        {"kind": "manifest", "url": "https://example.org/a.csv", "image_column": "\ud800"},
        {"kind": "\ud800"},
        {"kind": "folder", "path": ["/photos"]},
        "folder",
        None,
    ],
)
def test_sources_that_cannot_be(client: TestClient, source: Any) -> None:
    body = json.dumps({"source": source})
    answer = client.post("/v1/ingest", content=body, headers={"Content-Type": "application/json"})
    assert code_of(answer) == (422, "validation_failed")


@pytest.mark.parametrize(
    "more",
    [
        {"tags": ["x"] * 101},
        {"tags": [""]},
        {"tags": ["x" * 257]},
        {"tags": ["\ud800"]},
        {"metadata": {"text": "x" * (64 << 10)}},
        {"metadata": {"number": float("nan")}},
        {"metadata": {"number": 1 << 63}},
        {"metadata": {"text": "\ud800"}},
        {"metadata": {"\ud800": 1}},
        {"metadata": [1]},
        {"on_duplicate": "replace"},
        {"unknown": 1},
        {"\ud800": 1},
    ],
)
def test_details_that_could_not_be_kept(client: TestClient, photos: Path, more: dict[str, Any]) -> None:
    whole = json.dumps({"source": {"kind": "folder", "path": str(photos)}, **more})
    headers = {"Content-Type": "application/json"}
    assert code_of(client.post("/v1/ingest", content=whole, headers=headers)) == (422, "validation_failed")
    if not {"tags", "metadata"}.isdisjoint(more):
        item = json.dumps({"source": urls({"url": "https://example.org/a.jpg", **more})})
        assert code_of(client.post("/v1/ingest", content=item, headers=headers)) == (422, "validation_failed")
