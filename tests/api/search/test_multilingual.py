"""Texts reach the tower that reads their language, from the API on."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from multilingual_tower import save_multilingual_tower
from starlette.testclient import TestClient

from sightline.encoder.artifact import open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.settings import Precision, Settings
from sightline_api.app import create_app
from sightline_embedder.models.multilingual import add_multilingual
from sightline_local.samples import copy_samples

FOREIGN = {"katze": "chelsea.png", "un gato": "chelsea.png", "猫": "chelsea.png", "eine tasse": "coffee.png"}
FOREIGN |= {"火箭": "rocket.jpg", "un cohete": "rocket.jpg"}


@pytest.fixture(scope="module")
def artifact(starter_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("multilingual")
    copy = open_artifact(Path(shutil.copytree(starter_artifact, folder / "starter")))
    return add_multilingual(copy, str(save_multilingual_tower(folder / "tower", starter_artifact))).path


@pytest.fixture(scope="module")
def api(settings: Settings, artifact: Path) -> Iterator[TestClient]:
    changed = {"model": str(artifact), "collection": "multilingual"}
    with TestClient(create_app(settings.model_copy(update=changed))) as api:
        yield api


@pytest.fixture(scope="module")
def encoder(artifact: Path) -> OpenVinoEncoder:
    return OpenVinoEncoder(open_artifact(artifact), Precision.F32)


def vectors(api: TestClient, inputs: list[Any]) -> np.ndarray:
    answer = api.post("/v1/embeddings", json={"input": inputs})
    assert answer.status_code == 200, answer.text
    return np.array([one["embedding"] for one in answer.json()["data"]], dtype=np.float32)


def test_german_spanish_and_chinese_find_what_they_name(api: TestClient, tmp_path: Path) -> None:
    names = ["chelsea.png", "coffee.png", "rocket.jpg"]
    copy_samples(tmp_path)
    pictures = [{"image_base64": base64.b64encode((tmp_path / name).read_bytes()).decode()} for name in names]

    scores = vectors(api, list(FOREIGN)) @ vectors(api, pictures).T

    assert [names[best] for best in scores.argmax(axis=1)] == list(FOREIGN.values())


def test_english_stays_with_the_tower_of_its_own(api: TestClient, encoder: OpenVinoEncoder) -> None:
    assert encoder.multilingual is not None
    texts = ["a cat", "cat", "a cup of coffee"]

    np.testing.assert_allclose(vectors(api, texts), encoder.encode_texts(texts), atol=1e-5)
    np.testing.assert_allclose(
        vectors(api, ["katze"]), encoder.multilingual.encode_texts(["katze"]), atol=1e-5
    )


def test_a_language_is_told_with_each_way_to_search(api: TestClient) -> None:
    api.get("/readyz").raise_for_status()
    part = {"text": "katze", "lang": "de-AT"}

    assert api.post("/v1/search", json={"query": [part]}).json()["warnings"] == []
    assert api.post("/v1/search", json={"query": [part | {"lang": "?"}]}).status_code == 422
    assert api.get("/v1/search", params={"q": "katze", "lang": "de"}).status_code == 200
    assert api.get("/v1/search", params={"q": "katze", "lang": "german"}).status_code == 422


def test_the_model_tells_of_its_second_tower(api: TestClient, client: TestClient) -> None:
    assert api.get("/v1/model").json()["multilingual"]["agreement"] > 0.5
    assert client.get("/v1/model").json()["multilingual"] is None


def test_a_language_told_to_a_model_with_one_tower_is_warned_about(client: TestClient) -> None:
    client.get("/readyz").raise_for_status()

    answer = client.post("/v1/search", json={"query": [{"text": "katze", "lang": "de"}]}).json()

    assert [warning["code"] for warning in answer["warnings"]] == ["lang_without_effect"]
