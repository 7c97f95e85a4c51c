"""A migration that cannot begin leaves nothing behind that others would wait for, and one may begin anew."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
from redis import Redis
from starlette.testclient import TestClient

from sightline.errors import CollectionNotFound, FailureReason, Unavailable
from sightline.index import CollectionSpec
from sightline.index.versions import is_version, version_of
from sightline.queue.lost_points import Lost
from sightline_api.gateway import Gateway
from sightline_api.migrating.starting import as_it_stands

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


class LookedAt:
    """An index that has somebody look at the migration whenever a version is made sure of."""

    def __init__(self, index: Any, look: Callable[[], Any]) -> None:
        self._index = index
        self._look = look

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def ensure_collection(self, spec: CollectionSpec) -> Any:
        if is_version(spec.name):
            self._look()
        return self._index.ensure_collection(spec)


@pytest.fixture
def gateway(client: TestClient, redis: Redis) -> Iterator[Gateway]:
    app: Any = client.app
    found: Gateway = app.state.gateway
    found.index.ensure_collection(found.collection_spec(NAME))
    yield found
    app.state.gateway = found
    client.delete(f"/v1/collections/{NAME}?force=true").raise_for_status()


@pytest.fixture
def failed(client: TestClient, gateway: Gateway) -> dict[str, Any]:
    """A migration whose job ended before all was done."""
    started = client.post("/v1/migrations", json=ASKED).json()
    gateway.ledger.stop(started["job"]["id"])
    found: dict[str, Any] = client.get(f"/v1/migrations/{started['id']}").json()
    assert found["state"] == "failed"
    return found


def test_one_whose_version_cannot_be_made_is_over(client: TestClient, gateway: Gateway) -> None:
    app: Any = client.app
    index: Any = SlowToMake(gateway.index)
    app.state.gateway = replace(gateway, index=index)

    answer = client.post("/v1/migrations", json=ASKED)

    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert gateway.migrations.of(NAME) is None
    [ended] = [one for one in gateway.migrations.all() if one.collection == NAME]
    assert ended.state.final


def test_one_that_is_aborted_while_it_is_started_leaves_no_version(
    client: TestClient, gateway: Gateway
) -> None:
    aborts: list[Thread] = []

    def abort() -> None:
        under_way = gateway.migrations.of(NAME)
        assert under_way is not None
        aborts.append(Thread(target=client.post, args=[f"/v1/migrations/{under_way.id}/abort"]))
        aborts[0].start()
        # Long enough for one who waits for nobody.
        aborts[0].join(1.0)

    app: Any = client.app
    index: Any = LookedAt(gateway.index, abort)
    app.state.gateway = replace(gateway, index=index)

    started = client.post("/v1/migrations", json=ASKED).json()
    aborts[0].join()

    assert client.get(f"/v1/migrations/{started['id']}").json()["state"] == "aborted"
    assert gateway.ledger.active() == []
    with pytest.raises(CollectionNotFound):
        gateway.index.collection(version_of(NAME, started["id"]))


def test_one_that_failed_begins_anew_with_another_job_though_somebody_looks_at_it_meanwhile(
    client: TestClient, gateway: Gateway, failed: dict[str, Any]
) -> None:
    here = f"/v1/migrations/{failed['id']}"
    gateway.migrations.lost.note(failed["id"], {"p": Lost(reason=FailureReason.NOT_FOUND, detail="gone")})
    app: Any = client.app
    index: Any = LookedAt(gateway.index, lambda: as_it_stands(gateway, gateway.migrations.get(failed["id"])))
    app.state.gateway = replace(gateway, index=index)

    resumed = client.post(f"{here}/resume").json()

    assert resumed["state"] == "building"
    assert resumed["job"]["id"] != failed["job"]["id"]
    assert client.get(here).json()["state"] == "building"
    assert gateway.ledger.active() == [resumed["job"]["id"]]
    assert gateway.migrations.lost.by_reason(failed["id"]) == {}


def test_one_that_cannot_be_resumed_gets_no_job(
    client: TestClient, gateway: Gateway, failed: dict[str, Any]
) -> None:
    here = f"/v1/migrations/{failed['id']}"
    client.post(f"{here}/abort").raise_for_status()

    refused = client.post(f"{here}/resume")

    assert (refused.status_code, refused.json()["code"]) == (409, "migration_state")
    assert gateway.ledger.active() == []
    with pytest.raises(CollectionNotFound):
        gateway.index.collection(version_of(NAME, failed["id"]))
