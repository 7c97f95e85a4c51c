"""What a Qdrant server is asked for: how to keep vectors, and how to search them."""

from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from sightline.index import CollectionSpec, SearchQuery
from sightline.index.server.engine import QdrantServer
from sightline.index.server.index import ServerIndex
from sightline.index.tuning import AUTO_QUANTIZED_POINTS, Tuning
from sightline.settings import Quantization

pytestmark = pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning")

SPEC = CollectionSpec("images", "space-a", 4, {})


class Recording(QdrantClient):
    """Qdrant's client over memory, which ignores layouts; keeps what it was asked for."""

    def __init__(self, points: int | None = None) -> None:
        super().__init__(":memory:")
        self.asked: list[dict[str, Any]] = []
        self._points = points

    def create_collection(self, name: str, **options: Any) -> bool:
        self.asked.append(options)
        return super().create_collection(name, **options)

    def update_collection(self, name: str, **options: Any) -> bool:
        self.asked.append(options)
        return super().update_collection(name, **options)

    def query_points(self, name: str, **options: Any) -> models.QueryResponse:
        self.asked.append(options)
        return super().query_points(name, **options)

    def get_collection(self, name: str) -> models.CollectionInfo:
        about = super().get_collection(name)
        return about if self._points is None else about.model_copy(update={"points_count": self._points})


def made(client: Recording, tuning: Tuning) -> ServerIndex:
    index = ServerIndex(QdrantServer(client), tuning)
    index.ensure_collection(SPEC)
    return index


@pytest.mark.parametrize(
    ("quantization", "sent"),
    [
        (Quantization.AUTO, None),
        (Quantization.NONE, None),
        (Quantization.INT8, {"scalar": {"type": "int8", "always_ram": True}}),
        (Quantization.TURBO4, {"turbo": {"always_ram": True, "bits": "bits4"}}),
    ],
)
def test_a_collection_is_made_as_the_settings_say(quantization: Quantization, sent: Any) -> None:
    client = Recording()
    made(client, Tuning(quantization)).close()
    vectors = client.asked[0]["vectors_config"].model_dump(exclude_none=True, mode="json")
    assert vectors.get("quantization_config") == sent
    assert vectors["on_disk"] is (sent is not None)
    assert vectors["hnsw_config"] == {"m": 16, "ef_construct": 100}


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        (Quantization.NONE, Quantization.TURBO4, {"turbo": {"always_ram": True, "bits": "bits4"}}),
        (Quantization.TURBO4, Quantization.INT8, {"scalar": {"type": "int8", "always_ram": True}}),
        (Quantization.INT8, Quantization.NONE, "Disabled"),
        (Quantization.INT8, Quantization.AUTO, None),
        (Quantization.INT8, Quantization.INT8, None),
    ],
)
def test_a_collection_that_is_there_is_changed(before: Quantization, after: Quantization, sent: Any) -> None:
    client = Recording()
    made(client, Tuning(before))
    client.asked.clear()
    made(client, Tuning(after)).close()
    asked = [one["vectors_config"][""].model_dump(exclude_none=True, mode="json") for one in client.asked]
    expected = {"quantization_config": sent, "on_disk": after is not Quantization.NONE}
    assert asked == ([] if sent is None else [expected])


def test_auto_compresses_a_collection_that_has_grown_large() -> None:
    client = Recording(points=AUTO_QUANTIZED_POINTS)
    made(client, Tuning()).close()
    changed = client.asked[1]["vectors_config"][""]
    assert changed.quantization_config.turbo.bits is models.TurboQuantBitSize.BITS4
    assert changed.on_disk


@pytest.mark.parametrize("exact", [False, True])
def test_a_search_takes_more_and_scores_again_or_is_exact(exact: bool) -> None:
    client = Recording()
    index = made(client, Tuning(Quantization.INT8))
    client.asked.clear()
    index.search("images", SearchQuery(np.ones(4, np.float32), "space-a", 3, exact=exact, ef=50))
    sent = client.asked[0]["search_params"].model_dump(exclude_unset=True)
    quantization = {"ignore": True} if exact else {"rescore": True, "oversampling": 4.0}
    assert sent == {"quantization": quantization} | ({"exact": True} if exact else {"hnsw_ef": 50})
    index.close()


def test_a_server_builds_by_itself() -> None:
    client = Recording()
    index = made(client, Tuning())
    client.asked.clear()
    index.optimize("images")
    assert client.asked == []
    assert index.collection("images").indexed == 0
    index.close()
