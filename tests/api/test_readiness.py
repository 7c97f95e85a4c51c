"""Readiness names what is missing; what does not need it goes on."""

from pathlib import Path

from starlette.testclient import TestClient

from sightline.index import CollectionSpec
from sightline.index.edge.client import EdgeClient
from sightline.payload import INDEXED_FIELDS
from sightline.settings import Settings
from sightline_api.app import create_app


def test_ready(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"]


def test_without_redis_it_is_named_and_searches_go_on(settings: Settings) -> None:
    broken = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with TestClient(create_app(broken)) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert not answer.json()["dependencies"]["redis"]["ready"]
        assert answer.json()["dependencies"]["index"]["ready"]
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
        assert "index" in answer.json()["dependencies"]["index"]["detail"]


def test_collection_of_another_model_is_refused_with_a_sentence(
    settings: Settings, index_socket: Path
) -> None:
    index = EdgeClient(index_socket)
    index.ensure_collection(CollectionSpec("other", "other-model@0123456789abcdef", 8, INDEXED_FIELDS))
    index.close()
    with TestClient(create_app(settings.model_copy(update={"collection": "other"}))) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "other-model@0123456789abcdef" in answer.json()["dependencies"]["collection"]["detail"]
        refused = client.get("/v1/search?q=a+cat")
        assert (refused.status_code, refused.json()["code"]) == (409, "space_mismatch")
        refused = client.post("/v1/images", files=[("files", ("a.jpg", b"x"))])
        assert refused.json()["code"] == "space_mismatch"
