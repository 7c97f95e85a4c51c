"""What a collection says of itself is what its filters and facets go by."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from sightline.payload import INDEXED_FIELDS, FieldType
from sightline.settings import Settings
from sightline_api.app import create_app

METADATA = {"sku": FieldType.KEYWORD, "price": FieldType.FLOAT}
COUNTABLE = {"keyword", "integer", "bool"}


def stats_of(client: TestClient, name: str) -> dict[str, Any]:
    [stats] = [one for one in client.get("/v1/stats").json()["collections"] if one["name"] == name]
    return stats


@pytest.fixture(params=["edge", "server"])
def index(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """The settings of a gateway over each of the indexes."""
    if request.param == "edge":
        return settings
    url = request.getfixturevalue("qdrant_double_url")
    return settings.model_copy(update={"index_socket": None, "qdrant_url": url})


def test_a_collection_names_the_fields_that_it_has(index: Settings) -> None:
    declared = index.model_copy(update={"collection": "declared", "metadata_fields": METADATA})
    with TestClient(create_app(declared)) as client:
        assert client.get("/readyz").status_code == 200
        fields = stats_of(client, "declared")["fields"]
    assert fields == INDEXED_FIELDS | {"metadata.sku": "keyword", "metadata.price": "float"}

    # A gateway whose settings declare nothing serves what the collection was made with.
    with TestClient(create_app(index.model_copy(update={"collection": "declared"}))) as client:
        assert client.get("/readyz").status_code == 200
        assert stats_of(client, "declared")["fields"] == fields
        for field, kind in fields.items():
            condition = json.dumps({"field": field, "exists": True})
            assert client.get("/v1/images", params={"filter": condition}).status_code == 200, field
            counted = client.get("/v1/facets", params={"field": field}).status_code
            assert counted == (200 if kind in COUNTABLE else 422), field
        refused = client.get("/v1/facets", params={"field": "metadata.maker"}).json()
        assert (refused["code"], set(refused["indexed_fields"])) == ("field_not_indexed", set(fields))
