"""What exports and imports ask of a request; the jobs themselves are tests/embedder/portable."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sightline.portable.discarding import discard_stale
from sightline.queue.jobs import JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import ExportTarget, PointsSource
from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.gateway import Gateway

UPLOAD = "0" * 32


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def client(settings: Settings, roots: Path, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    changed = {"export_roots": [roots], "data_dir": tmp_path_factory.mktemp("data"), "max_upload_bytes": 1000}
    with TestClient(create_app(settings.model_copy(update=changed))) as client:
        yield client


@pytest.fixture
def gateway(client: TestClient) -> Gateway:
    found: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
    found.index.ensure_collection(found.collection_spec("holidays"))
    return found


def code(client: TestClient, method: str, path: str, **sent: object) -> tuple[int, str]:
    answer = client.request(method, path, **sent)  # type: ignore[arg-type]
    return answer.status_code, answer.json()["code"]


@pytest.mark.usefixtures("gateway")
def test_exports_go_where_they_may_and_into_nothing_that_is_there(
    client: TestClient, roots: Path, tmp_path: Path
) -> None:
    export = "/v1/collections/holidays/export"
    (roots / "taken").mkdir()
    (roots / "taken" / "mine").touch()
    (roots / "link").symlink_to(tmp_path)
    for path in (str(tmp_path), str(roots / "link"), str(roots / ".." / "x"), "out", "/etc"):
        assert code(client, "POST", export, json={"path": path}) == (403, "path_not_allowed")
    assert code(client, "POST", export, json={"path": str(roots / "taken")}) == (409, "export_exists")
    assert code(client, "POST", export, json={"path": f"{roots}/a\0b"}) == (422, "validation_failed")
    assert client.post(export, json={"path": str(roots / "new")}).status_code == 202
    assert code(client, "POST", "/v1/collections/none/export", json={}) == (404, "collection_not_found")


@pytest.mark.usefixtures("gateway")
def test_a_folder_that_the_gateway_cannot_look_into_is_refused(
    client: TestClient, roots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = "/v1/collections/holidays/export"
    (roots / "closed").mkdir()
    list_folder = os.listdir

    def refuse(path: Any = ".") -> list[str]:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return list_folder(path)

    monkeypatch.setattr(os, "listdir", refuse)
    for path, why in ((roots / "closed", "Permission denied"), (roots / ("x" * 300), "File name too long")):
        refused = client.post(export, json={"path": str(path)})
        assert (refused.status_code, refused.json()["code"]) == (403, "path_not_allowed")
        assert why in refused.json()["detail"]


def test_an_import_names_one_place_and_a_model(client: TestClient, settings: Settings) -> None:
    path = "/v1/collections/new/import"
    root = str(settings.import_roots[0])
    for body in ({}, {"path": root, "upload": UPLOAD}, {"path": root, "format": "clip-retrieval"}):
        assert code(client, "POST", path, json=body) == (422, "validation_failed")
    assert code(client, "POST", path, json={"path": "/etc"}) == (403, "path_not_allowed")
    assert code(client, "POST", path, json={"path": f"{root}/none"}) == (422, "folder_not_found")
    assert client.post(path, json={"path": root}).status_code == 202
    # A collection is made when the job has seen what it has to be.
    assert client.get("/v1/collections/new").status_code == 404


def test_files_to_be_imported_have_names_that_imports_have(client: TestClient, gateway: Gateway) -> None:
    put = f"/v1/imports/{UPLOAD}"
    for name in ("points-00000.parquet", "export.json", "img_emb_0.npy", "metadata_12.parquet"):
        assert client.put(f"{put}/{name}", content=b"bytes").status_code == 204
    assert (gateway.portable.upload(UPLOAD) / "img_emb_0.npy").read_bytes() == b"bytes"
    for name in ("photo.jpg", ".hidden", "points-1.parquet", "points-00000.parquet.sh"):
        assert code(client, "PUT", f"{put}/{name}", content=b"x") == (422, "import_file_unknown")
    for path in ("/v1/imports/short/export.json", f"/v1/imports/{'G' * 32}/export.json"):
        assert code(client, "PUT", path, content=b"x") == (422, "validation_failed")
    assert client.put(f"{put}/%2e%2e%2fexport.json", content=b"x").status_code in (404, 405, 422)
    assert code(client, "PUT", f"{put}/export.json", content=b"x" * 1001) == (413, "request_too_large")
    assert (gateway.portable.upload(UPLOAD) / "export.json").read_bytes() == b"bytes"
    assert not list((gateway.portable.upload(UPLOAD).parent / ".unfinished").iterdir())


def test_where_media_are_in_a_bucket_no_folder_is_shared(client: TestClient, gateway: Gateway) -> None:
    apart = dataclasses.replace(
        gateway, settings=gateway.settings.model_copy(update={"media_url": "s3://media/kept"})
    )
    app: Any = client.app
    app.state.gateway = apart
    try:
        jobs = client.get("/v1/jobs").json()["items"]
        refused = (409, "no_shared_folder")
        assert code(client, "POST", "/v1/collections/holidays/export", json={}) == refused
        assert code(client, "POST", "/v1/collections/new/import", json={"upload": UPLOAD}) == refused
        assert code(client, "PUT", f"/v1/imports/{'1' * 32}/export.json", content=b"x") == refused
        assert client.get("/v1/jobs").json()["items"] == jobs
        assert not gateway.portable.upload("1" * 32).exists()
    finally:
        app.state.gateway = gateway


def test_files_of_an_import_are_kept_from_when_it_was_asked_for(client: TestClient, gateway: Gateway) -> None:
    assert client.put(f"/v1/imports/{'2' * 32}/export.json", content=b"{}").status_code == 204
    folder = gateway.portable.upload("2" * 32)
    os.utime(folder, (0, 0))

    assert client.post("/v1/collections/new/import", json={"upload": "2" * 32}).status_code == 202

    discard_stale(gateway.portable, gateway.ledger)
    assert folder.exists()


def test_files_that_were_sent_long_ago_go_unless_a_job_waits_for_them(gateway: Gateway) -> None:
    waited, forgotten = (gateway.portable.upload(digit * 32) for digit in "34")
    gateway.ledger.create(JobRequest(collection="new", source=PointsSource(upload=waited.name)))
    for folder in (waited, forgotten):
        folder.mkdir(parents=True)
        os.utime(folder, (0, 0))

    discard_stale(gateway.portable, gateway.ledger)

    assert [folder.exists() for folder in (waited, forgotten)] == [True, False]


def test_files_of_an_export_are_there_when_it_has_ended(
    client: TestClient, gateway: Gateway, ledger: Ledger
) -> None:
    job = ledger.create(JobRequest(collection="holidays", source=ExportTarget()))
    folder = gateway.portable.export(job.id)
    folder.mkdir(parents=True)
    (folder / "points-00000.parquet").write_bytes(b"rows")
    (folder / "secret").write_bytes(b"no file of an export")
    path = f"/v1/exports/{job.id}"
    assert code(client, "GET", f"{path}/points-00000.parquet") == (409, "export_not_finished")
    assert code(client, "DELETE", path) == (409, "export_not_finished")
    (folder / "export.json").write_text("{}")
    ledger.end_listing(job.id)
    assert client.get(f"{path}/points-00000.parquet").content == b"rows"
    for name in ("secret", "points-00001.parquet", "..%2f..%2fsecret"):
        assert client.get(f"{path}/{name}").status_code == 404
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 204
    assert not folder.exists()
    assert code(client, "GET", f"{path}/export.json") == (404, "not_found")
