"""A migration that cannot begin leaves nothing behind that others would wait for."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from sightline.errors import Unavailable
from sightline.index import CollectionSpec
from sightline.index.versions import is_version
from sightline_api.gateway import Gateway

NAME = "to-be-migrated"
ASKED = {"collection": NAME, "quantization": "int8"}


class SlowToMake:
    """An index that does not answer in time when a version should be made."""

    def __init__(self, index: Any) -> None:
        self._index = index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def ensure_collection(self, spec: CollectionSpec) -> Any:
        if is_version(spec.name):
            raise Unavailable("Qdrant", "no answer in time")
        return self._index.ensure_collection(spec)


@pytest.fixture
def gateway(client: TestClient) -> Iterator[Gateway]:
    app: Any = client.app
    found: Gateway = app.state.gateway
    found.index.ensure_collection(found.collection_spec(NAME))
    yield found
    app.state.gateway = found
    found.index.drop_collection(NAME)


def test_one_whose_version_cannot_be_made_is_over(client: TestClient, gateway: Gateway) -> None:
    app: Any = client.app
    index: Any = SlowToMake(gateway.index)
    app.state.gateway = replace(gateway, index=index)

    answer = client.post("/v1/migrations", json=ASKED)

    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert gateway.migrations.of(NAME) is None
    [ended] = [one for one in gateway.migrations.all() if one.collection == NAME]
    assert ended.state.final
