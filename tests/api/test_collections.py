"""Collections by name, over each of the indexes: made with choices, listed, optimized, deleted."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from example_migration import example_migration
from example_picture import example_point
from numpy.typing import NDArray
from redis import Redis
from starlette.testclient import TestClient

from sightline.errors import CollectionBeingDeleted, CollectionNotFound, FailureReason
from sightline.index import CollectionSpec
from sightline.index.versions import version_of
from sightline.likeness import DuplicateKind
from sightline.payload import INDEXED_FIELDS, FieldType
from sightline.queue.jobs import Batch, BatchOutcome, Failure, JobRequest
from sightline.queue.migration_records import MigrationState
from sightline.queue.planning import PlanningLeases
from sightline.queue.sources import ArchiveSource, FolderSource, Item, PointsSource, SourceKind
from sightline.queue.sync_state import FileState, SyncState, synced_folders
from sightline.settings import Settings
from sightline_api import dropping
from sightline_api.app import create_app
from sightline_api.gateway import Gateway
from sightline_api.ingest.starting import start_job

NAME = "products"
URLS = {"source": {"kind": "urls", "items": [{"url": "https://example.org/a.jpg"}]}, "collection": NAME}


@pytest.fixture(scope="module", params=["edge", "server"])
def client(request: pytest.FixtureRequest, settings: Settings) -> Iterator[TestClient]:
    """A gateway over each of the indexes."""
    changed = {"metadata_fields": {"shop": FieldType.KEYWORD}}
    if request.param == "server":
        changed |= {"index_socket": None, "qdrant_url": request.getfixturevalue("qdrant_double_url")}
    with TestClient(create_app(settings.model_copy(update=changed))) as client:
        yield client


@pytest.fixture
def gateway(client: TestClient, redis: Redis) -> Iterator[Gateway]:
    """One without any collection."""
    found: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
    drop_all(found)
    yield found
    drop_all(found)


def drop_all(gateway: Gateway) -> None:
    for info in gateway.index.collections():
        gateway.index.drop_collection(info.name)


def make(client: TestClient, **chosen: Any) -> httpx.Response:
    return client.post("/v1/collections", json={"name": NAME} | chosen)


def make_with_a_picture(client: TestClient, gateway: Gateway) -> str:
    """The version of a new collection with one picture in it."""
    make(client).raise_for_status()
    manifest = gateway.models.default.encoder.manifest
    vector = np.eye(1, manifest.dimension, dtype=np.float32)[0]
    gateway.index.insert(NAME, [example_point(manifest, "made up", vector)])
    return gateway.index.collection(NAME).version


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_collection_is_what_it_was_asked_to_be(client: TestClient, gateway: Gateway) -> None:
    made = make(client, quantization="int8", metadata_fields={"sku": "keyword", "size.width": "integer"})
    assert (made.status_code, made.headers["location"]) == (201, f"/v1/collections/{NAME}")
    about = made.json()
    assert about["metadata_fields"] == {"shop": "keyword", "sku": "keyword", "size.width": "integer"}
    assert (about["model"], about["quantization"], about["points"]) == (
        gateway.models.default.artifact.manifest.name,
        "int8",
        0,
    )
    assert client.get(f"/v1/collections/{NAME}").json() == about
    assert about in client.get("/v1/collections").json()["items"]

    declared = {f"metadata.{name}": kind for name, kind in about["metadata_fields"].items()}
    [stats] = [one for one in client.get("/v1/stats").json()["collections"] if one["name"] == NAME]
    assert stats["fields"] == INDEXED_FIELDS | declared
    for field in declared:
        condition = json.dumps({"field": field, "exists": True})
        found = client.get("/v1/images", params={"filter": condition, "collection": NAME})
        assert found.status_code == 200, field
    refused = client.get("/v1/facets", params={"field": "metadata.price", "collection": NAME})
    assert refusal(refused) == (422, "field_not_indexed")
    assert set(declared) < set(refused.json()["indexed_fields"])


def test_a_scan_for_duplicates_makes_no_collection(client: TestClient, gateway: Gateway) -> None:
    scan = "/v1/duplicates/scan"
    active = gateway.ledger.active()
    assert refusal(client.post(scan, json={"collection": NAME})) == (404, "collection_not_found")
    assert NAME not in [info.name for info in gateway.index.collections()]
    assert gateway.ledger.active() == active

    make(client)
    assert client.post(scan, json={"collection": NAME}).status_code == 202


def test_what_comes_in_leaves_its_choices_alone(client: TestClient, gateway: Gateway) -> None:
    about = make(client, quantization="int8", metadata_fields={"sku": "keyword"}).json()
    assert client.post("/v1/ingest", json=URLS).status_code == 202
    assert client.get(f"/v1/collections/{NAME}").json() == about


def test_a_name_is_taken_once(client: TestClient, gateway: Gateway) -> None:
    assert make(client).status_code == 201
    assert refusal(make(client, quantization="int8")) == (409, "collection_exists")
    assert client.get(f"/v1/collections/{NAME}").json()["quantization"] is None


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": "../up"}, "validation_failed"),
        ({"name": "Caps"}, "validation_failed"),
        ({"quantization": "int2"}, "validation_failed"),
        ({"metadata_fields": {"sku": "text"}}, "validation_failed"),
        ({"metadata_fields": {"a b": "keyword"}}, "validation_failed"),
        ({"metadata_fields": {f"f{number}": "keyword" for number in range(65)}}, "validation_failed"),
        ({"size": 3}, "validation_failed"),
        # What SIGHTLINE_METADATA_FIELDS says of every collection.
        ({"metadata_fields": {"shop": "integer"}}, "bad_request"),
        ({"model": "clip-ViT-L-14"}, "model_not_in_use"),
    ],
    ids=str,
)
def test_what_cannot_be_is_not_made(
    client: TestClient, gateway: Gateway, wrong: dict[str, Any], code: str
) -> None:
    assert refusal(make(client, **wrong)) == (422, code)
    assert client.get("/v1/collections").json()["items"] == []


def test_its_model_may_be_named(client: TestClient, gateway: Gateway) -> None:
    manifest = gateway.models.default.encoder.manifest
    assert make(client, model=manifest.name).json()["space"] == manifest.space
    assert make(client, name="other", model=manifest.space).json()["model"] == manifest.name


def test_one_of_another_model_is_listed_without_it(client: TestClient, gateway: Gateway) -> None:
    gateway.index.ensure_collection(CollectionSpec("foreign", "another@0123456789abcdef", 8, INDEXED_FIELDS))
    about = client.get("/v1/collections/foreign").json()
    assert (about["model"], about["space"], about["dimension"]) == (None, "another@0123456789abcdef", 8)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("DELETE", ""), ("DELETE", "?force=true"), ("POST", "/optimize")]
)
def test_what_is_not_there_is_said_to_be(
    client: TestClient, gateway: Gateway, method: str, path: str
) -> None:
    answer = client.request(method, f"/v1/collections/{NAME}{path}")
    assert refusal(answer) == (404, "collection_not_found")


def test_optimizing_goes_on_beside_all_else(client: TestClient, gateway: Gateway) -> None:
    make(client)
    answer = client.post(f"/v1/collections/{NAME}/optimize")
    assert (answer.status_code, answer.json()["points"]) == (202, 0)


def test_deleting_leaves_nothing_behind(
    client: TestClient, gateway: Gateway, redis: Redis, media_files: Callable[[], list[Path]]
) -> None:
    before = media_files()
    for name in (NAME, "kept"):
        make(client, name=name)
        gateway.media.put_original(name, "0" * 64, b"picture")
        gateway.deletions.record(name, ["00000000-0000-4000-8000-000000000001"])
        gateway.duplicates.publish(name, "job", {kind: [] for kind in DuplicateKind}, datetime.now(UTC))
        sync = SyncState(redis, name, "/photos")
        sync.begin()
        sync.record({"file:///photos/a.jpg": FileState("00000000-0000-4000-8000-000000000001")})

    assert client.delete(f"/v1/collections/{NAME}").status_code == 204

    with pytest.raises(CollectionNotFound):
        gateway.index.collection(NAME)
    assert [key for key in redis.scan_iter() if NAME in key.split(":")] == []
    assert synced_folders(redis, NAME) == []
    assert SyncState(redis, "kept", "/photos").count() == 1
    assert gateway.duplicates.latest("kept") is not None
    [original] = set(media_files()) - set(before)
    assert original.parts[0] == "kept"
    gateway.media.delete_collection("kept")


def test_relevance_in_a_new_one_owes_nothing_to_a_deleted_one(
    client: TestClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled: list[str] = []
    sample = gateway.index.sample

    def noted(collection: str, limit: int) -> NDArray[np.float32]:
        sampled.append(collection)
        return sample(collection, limit)

    monkeypatch.setattr(gateway.index, "sample", noted)
    for _ in range(2):
        version = make_with_a_picture(client, gateway)
        for _ in range(2):
            client.get("/v1/search", params={"q": "a cat", "collection": NAME}).raise_for_status()
        assert client.delete(f"/v1/collections/{NAME}").status_code == 204

    assert sampled == [version, version]


def test_while_jobs_are_under_way_it_stays_unless_they_are_canceled(
    client: TestClient, gateway: Gateway
) -> None:
    job = client.post("/v1/ingest", json=URLS).json()
    other = client.post("/v1/ingest", json=URLS | {"collection": "other"}).json()
    refused = client.delete(f"/v1/collections/{NAME}")
    assert refusal(refused) == (409, "collection_in_use")
    assert "1 job" in refused.json()["detail"]
    assert client.get(f"/v1/collections/{NAME}").status_code == 200

    assert client.delete(f"/v1/collections/{NAME}?force=true").status_code == 204
    assert client.get(f"/v1/collections/{NAME}").status_code == 404
    assert client.get(f"/v1/jobs/{job['id']}").json()["state"] == "canceled"
    assert client.get(f"/v1/jobs/{other['id']}").json()["state"] == "queued"


@pytest.mark.parametrize("broke_off", [False, True])
def test_both_versions_of_one_that_is_migrated_go(
    client: TestClient, gateway: Gateway, broke_off: bool
) -> None:
    make(client)
    info = gateway.index.collection(NAME)
    migration = example_migration(
        collection=NAME, old=info.version, new=version_of(NAME, "abc"), old_space=info.space
    )
    gateway.migrations.start(migration)
    gateway.index.ensure_collection(CollectionSpec(migration.new, migration.space, 4, INDEXED_FIELDS))
    assert refusal(client.delete(f"/v1/collections/{NAME}")) == (409, "collection_in_use")
    with gateway.migrations.turn(migration.id):
        busy = client.delete(f"/v1/collections/{NAME}?force=true")
    assert refusal(busy) == (409, "migration_busy")
    if broke_off:
        gateway.index.drop_collection(NAME)

    assert client.delete(f"/v1/collections/{NAME}?force=true").status_code == 204

    for name in (NAME, migration.old, migration.new):
        with pytest.raises(CollectionNotFound):
            gateway.index.collection(name)
    assert gateway.migrations.get(migration.id).state is MigrationState.ABORTED
    assert refusal(client.delete(f"/v1/collections/{NAME}?force=true")) == (404, "collection_not_found")


def test_what_an_embedder_has_in_hand_is_waited_for(
    client: TestClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dropping, "END_WITHIN_S", 0.2)
    job = client.post("/v1/ingest", json=URLS).json()
    item = Item(number=0, kind=SourceKind.URL, uri="https://example.org/a.jpg")
    gateway.ledger.plan_batch(job["id"], Batch(id="0", items=(item,)), cursor="c")
    assert gateway.ledger.claim(job["id"], "0")

    refused = client.delete(f"/v1/collections/{NAME}?force=true")

    assert refusal(refused) == (409, "collection_in_use")
    assert refused.headers["retry-after"]
    assert client.get(f"/v1/collections/{NAME}").status_code == 200


def test_who_plans_an_import_is_waited_for_and_what_stays_takes_jobs_again(
    client: TestClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dropping, "END_WITHIN_S", 0.2)
    make(client)
    job = gateway.ledger.create(JobRequest(collection=NAME, source=PointsSource(upload="1" * 32)))
    with PlanningLeases(gateway.redis, lease_s=30).held(job.id):
        refused = client.delete(f"/v1/collections/{NAME}?force=true")
    assert refusal(refused) == (409, "collection_in_use")
    assert gateway.ledger.job(job.id).state.final
    assert client.post("/v1/ingest", json=URLS).status_code == 202

    assert client.delete(f"/v1/collections/{NAME}?force=true").status_code == 204


def test_who_plans_what_inserts_no_points_is_not_waited_for(client: TestClient, gateway: Gateway) -> None:
    make(client)
    source = ArchiveSource(url="https://example.org/slow.zip")
    job = gateway.ledger.create(JobRequest(collection=NAME, source=source))
    with PlanningLeases(gateway.redis, lease_s=30).held(job.id):
        assert client.delete(f"/v1/collections/{NAME}?force=true").status_code == 204
    assert gateway.ledger.job(job.id).state.final


def job_that_failed(gateway: Gateway, folder: Path) -> str:
    """The id of a job that has ended, and whose only picture may be tried again."""
    job = gateway.ledger.create(JobRequest(collection=NAME, source=FolderSource(path=str(folder))))
    item = Item(number=0, kind=SourceKind.FOLDER, uri=(folder / "a.jpg").as_uri())
    gateway.ledger.plan_batch(job.id, Batch(id="0", items=(item,)), cursor="c")
    gateway.ledger.end_listing(job.id)
    failure = Failure(
        item=item, reason=FailureReason.TRUNCATED, detail="why", attempts=1, at=datetime.now(UTC)
    )
    outcome = BatchOutcome(indexed=0, unchanged=0, failures=(failure,))
    assert gateway.ledger.set_outcome(job.id, "0", outcome)
    return job.id


def test_no_job_of_one_that_is_being_deleted_is_taken(
    client: TestClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(client)
    [folder] = gateway.settings.import_roots
    failed = job_that_failed(gateway, folder)
    answers: dict[str, httpx.Response] = {}
    delete_media = gateway.media.delete_collection

    def asked_meanwhile(name: str) -> None:
        sync = {"kind": "folder", "path": str(folder), "sync": True}
        posted: dict[str, dict[str, Any]] = {
            "/v1/ingest": {"json": URLS},
            "/v1/ingest?": {"json": {"source": sync, "collection": NAME}},
            "/v1/images": {"files": {"files": b"picture"}, "params": {"collection": NAME}},
            f"/v1/jobs/{failed}/retry": {},
            f"/v1/collections/{NAME}/export": {},
            f"/v1/collections/{NAME}/import": {"json": {"path": str(folder)}},
            "/v1/duplicates/scan": {"json": {"collection": NAME}},
            "/v1/migrations": {"json": {"collection": NAME, "quantization": "int8"}},
            "/v1/collections": {"json": {"name": NAME}},
        }
        answers.update({path: client.post(path, **sent) for path, sent in posted.items()})
        answers["DELETE"] = client.delete(f"/v1/collections/{NAME}?force=true")
        delete_media(name)

    monkeypatch.setattr(gateway.media, "delete_collection", asked_meanwhile)
    deleted = client.delete(f"/v1/collections/{NAME}")

    assert deleted.status_code == 204, deleted.text
    refused = (409, "collection_being_deleted")
    assert {path: refusal(answer) for path, answer in answers.items()} == dict.fromkeys(answers, refused)
    assert all(answer.headers["retry-after"] for answer in answers.values())
    assert gateway.index.collections() == []
    assert gateway.ledger.active() == []
    assert gateway.migrations.active() == []

    monkeypatch.undo()
    assert client.post("/v1/ingest", json=URLS).status_code == 202
    assert client.get(f"/v1/collections/{NAME}").status_code == 200


def test_a_job_whose_collection_goes_while_it_is_recorded_is_not(
    client: TestClient, gateway: Gateway
) -> None:
    def delete() -> None:
        client.delete(f"/v1/collections/{NAME}").raise_for_status()

    request = JobRequest(collection=NAME, source=FolderSource(path="/photos"))
    with pytest.raises(CollectionBeingDeleted):
        start_job(gateway, request, take_quota=delete)
    assert gateway.index.collections() == []
    assert gateway.ledger.active() == []
