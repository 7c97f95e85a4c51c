"""Readiness names what is missing; what does not need it goes on."""

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from example_migration import example_migration
from pydantic import SecretStr
from redis import Redis
from starlette.testclient import TestClient

from sightline.errors import ModelError
from sightline.index import CollectionSpec
from sightline.index.edge.client import EdgeClient
from sightline.payload import INDEXED_FIELDS, FieldType
from sightline.queue.embedders import Embedders, SignOfLife
from sightline.queue.migrations import Migrations
from sightline.settings import Settings
from sightline_api.app import create_app

DEPENDENCIES = {
    *(
        "model",
        "model_files",
        "index",
        "collection",
        "redis",
        "disk",
        "migrations",
        "embedders",
        "queue",
        "clock",
    )
}
DOCS = Path(__file__).resolve().parents[2] / "docs/operations/readiness.md"


@pytest.fixture(autouse=True)
def embedder(redis: Redis) -> None:
    """One that has just said that it is alive."""
    now = datetime.now(UTC)
    sign = SignOfLife(id="a", host="here", since=now, at=now, batches=0, last_progress=None)
    Embedders(redis).announce(sign)


def failing(answer: httpx.Response) -> dict[str, str]:
    """What each dependency that is not ready stops."""
    return {name: one["stops"] for name, one in answer.json()["dependencies"].items() if not one["ready"]}


def test_ready(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"]
    assert not answer.json()["degraded"]
    assert set(answer.json()["dependencies"]) == DEPENDENCIES


def test_every_dependency_is_in_the_docs() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", DOCS.read_text(), re.MULTILINE)
    assert set(documented) == DEPENDENCIES | {"media"}


def test_a_bucket_for_media_is_looked_at_where_there_is_one(settings: Settings, s3: Any) -> None:
    with_bucket = settings.model_copy(update={"media_url": "s3://readiness/media"})
    with TestClient(create_app(with_bucket)) as client:
        answer = client.get("/readyz")
        assert failing(answer)["media"] == "ingest"
        assert "no bucket s3://readiness; make it" in answer.json()["dependencies"]["media"]["detail"]

        s3.fill("readiness", {})
        assert "media" not in failing(client.get("/readyz"))


def test_a_disk_without_room_is_named_and_searches_go_on(settings: Settings, small_disk: Path) -> None:
    full = settings.model_copy(update={"data_dir": small_disk, "min_free_bytes": 3 << 20})
    with TestClient(create_app(full)) as client:
        assert failing(client.get("/readyz")) == {}
        filler = small_disk / "filler"
        filler.write_bytes(bytes(2 << 20))

        answer = client.get("/readyz")
        assert (answer.status_code, failing(answer)) == (200, {"disk": "ingest"})
        detail = answer.json()["dependencies"]["disk"]["detail"]
        assert detail.startswith("2 MiB are free") or detail.startswith("1 MiB are free")
        assert client.get("/v1/search?q=a+cat").status_code == 200
        assert client.post("/v1/images", files=[("files", ("a.jpg", b"x"))]).status_code == 507

        filler.unlink()
        assert failing(client.get("/readyz")) == {}


@pytest.mark.parametrize("file", ["text.bin", "image.bin"])
def test_a_model_file_that_is_corrupted_is_named_until_it_is_put_back(
    settings: Settings, tiny_clip_artifact: Path, tmp_path: Path, file: str
) -> None:
    """In place, as a bad disk does it: the file is mapped into memory, too."""
    artifact = shutil.copytree(tiny_clip_artifact, tmp_path / "model")
    weights = artifact / file
    sound = weights.read_bytes()
    changes = {"model": str(artifact), "collection": "tiny"}
    with TestClient(create_app(settings.model_copy(update=changes))) as client:
        assert failing(client.get("/readyz")) == {}
        with weights.open("r+b") as out:
            out.write(bytes(len(sound)))

        answer = client.get("/readyz")
        assert failing(answer).pop("model_files") == "restart"
        assert f"{weights} is not the file that was built" in answer.text
        assert "build it again" in answer.json()["dependencies"]["model_files"]["remedy"]
        assert answer.json()["ready"] == ("model" not in failing(answer))

        with weights.open("r+b") as out:
            out.write(sound)
        answer = client.get("/readyz")
        assert (answer.status_code, failing(answer)) == (200, {})


def test_a_model_that_is_gone_from_the_disk_serves_on(
    settings: Settings, tiny_clip_artifact: Path, tmp_path: Path
) -> None:
    artifact = shutil.copytree(tiny_clip_artifact, tmp_path / "model")
    changes = {"model": str(artifact), "collection": "tiny"}
    with TestClient(create_app(settings.model_copy(update=changes))) as client:
        artifact.rename(tmp_path / "away")
        answer = client.get("/readyz")
        assert failing(answer)["model_files"] == "restart"
        assert client.get("/v1/search?q=a+cat&collection=tiny").status_code == 200


def test_a_gateway_does_not_start_with_a_corrupted_model(
    settings: Settings, tiny_clip_artifact: Path, tmp_path: Path
) -> None:
    artifact = shutil.copytree(tiny_clip_artifact, tmp_path / "model")
    weights = artifact / "text.bin"
    weights.write_bytes(bytes(weights.stat().st_size))
    broken = settings.model_copy(update={"model": str(artifact)})
    with pytest.raises(ModelError, match="Build the artifact again"), TestClient(create_app(broken)):
        pass


def test_without_redis_it_is_named_and_searches_go_on(settings: Settings) -> None:
    key = "b41c9e07d25f8a63"
    gone = {"redis_url": "redis://127.0.0.1:1/0", "api_key": SecretStr(key)}
    with TestClient(create_app(settings.model_copy(update=gone)), headers={"X-API-Key": key}) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 200
        assert (answer.json()["ready"], answer.json()["degraded"]) == (True, True)
        assert failing(answer) == {"redis": "ingest"}
        assert "does not answer" in answer.json()["dependencies"]["redis"]["detail"]
        assert "SIGHTLINE_REDIS_URL" in answer.json()["dependencies"]["redis"]["remedy"]
        assert set(answer.json()["dependencies"]).isdisjoint({"migrations", "embedders", "queue", "clock"})
        assert client.get("/healthz").status_code == 200
        assert client.get("/v1/search?q=a+cat").status_code == 200

        refused = client.post("/v1/images", files=[("files", ("a.jpg", b"x"))])
        assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
        assert refused.headers["retry-after"]


def test_without_an_index_it_is_named(settings: Settings, tmp_path: Path) -> None:
    broken = settings.model_copy(update={"index_socket": tmp_path / "none.sock"})
    with TestClient(create_app(broken)) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert failing(answer) == {"index": "search"}
        assert "index" in answer.json()["dependencies"]["index"]["detail"]


def test_a_qdrant_that_is_not_there_is_named(settings: Settings) -> None:
    changes = {"index_socket": None, "qdrant_url": "http://127.0.0.1:1"}
    with TestClient(create_app(settings.model_copy(update=changes))) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, failing(answer)) == (503, {"index": "search"})
        index = answer.json()["dependencies"]["index"]
        assert index["detail"].startswith("Qdrant does not answer")
        assert "SIGHTLINE_QDRANT_URL" in index["remedy"]
        refused = client.get("/v1/search?q=a+cat")
        assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")


def test_collection_of_another_model_is_refused_with_a_sentence(
    settings: Settings, index_socket: Path
) -> None:
    index = EdgeClient(index_socket)
    index.ensure_collection(CollectionSpec("other", "other-model@0123456789abcdef", 8, INDEXED_FIELDS))
    index.close()
    with TestClient(create_app(settings.model_copy(update={"collection": "other"}))) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert failing(answer) == {"collection": "search"}
        assert "other-model@0123456789abcdef" in answer.json()["dependencies"]["collection"]["detail"]
        refused = client.get("/v1/search?q=a+cat")
        assert (refused.status_code, refused.json()["code"]) == (409, "space_mismatch")
        refused = client.post("/v1/images", files=[("files", ("a.jpg", b"x"))])
        assert refused.json()["code"] == "space_mismatch"


def test_a_migration_without_its_model_is_told_by_its_id_alone(client: TestClient, redis: Redis) -> None:
    """Whoever reaches the port reads this, with no key or one that is limited to another collection."""
    migration = Migrations(redis).start(example_migration(collection="secret-plans"))
    answer = client.get("/readyz")
    assert failing(answer) == {"migrations": "restart"}
    detail = answer.json()["dependencies"]["migrations"]["detail"]
    assert detail.startswith(f"Migration {migration.id} needs a model that is not here:")
    assert migration.space in detail
    assert "secret-plans" not in answer.text


def test_the_default_collection_is_told_by_its_setting(client: TestClient, settings: Settings) -> None:
    app: Any = client.app
    gateway = app.state.gateway
    held = gateway.collection_spec("secret-plans")
    gateway.index.ensure_collection(
        replace(held, fields=INDEXED_FIELDS | {"metadata.year": FieldType.KEYWORD})
    )
    changes = {"collection": "secret-plans", "metadata_fields": {"year": FieldType.INTEGER}}
    with TestClient(create_app(settings.model_copy(update=changes))) as other:
        answer = other.get("/readyz")
    gateway.index.drop_collection("secret-plans")
    assert (answer.status_code, failing(answer)) == (503, {"collection": "search"})
    assert answer.json()["dependencies"]["collection"]["detail"] == (
        "Field 'metadata.year' of collection SIGHTLINE_COLLECTION is indexed as keyword, not as integer. "
        "Declare it as keyword, or use another collection."
    )
    assert "secret-plans" not in answer.text
