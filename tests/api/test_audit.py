"""What administrators do is in the audit log as soon as it has taken effect, whatever the answer is."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from example_migration import example_migration
from pydantic import SecretStr
from redis import Redis
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from sightline.errors import Unavailable
from sightline.index.versions import version_of
from sightline.queue.migration_records import Migration, MigrationState
from sightline.settings import Quantization, Settings
from sightline_api.app import create_app
from sightline_api.gateway import Gateway

NAME = "audited"
KEY = "b41c9e07d25f8a63"


class Unchanging:
    """An index that tells what it holds, and does not answer whoever would change it."""

    def __init__(self, index: Any) -> None:
        self._index = index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def switch(self, name: str, version: str) -> None:
        raise Unavailable("Qdrant", "no answer in time")

    def drop_collection(self, name: str) -> None:
        raise Unavailable("Qdrant", "no answer in time")


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    """An administrator of a gateway that waits for a replica, which Redis does not have."""
    changed = settings.model_copy(update={"redis_wait_replicas": 1, "api_key": SecretStr(KEY)})
    with TestClient(create_app(changed), headers={"X-API-Key": KEY}) as client:
        yield client


@pytest.fixture
def gateway(client: TestClient, redis: Redis) -> Iterator[Gateway]:
    """One with an empty collection."""
    app: Any = client.app
    found: Gateway = app.state.gateway
    found.index.ensure_collection(found.collection_spec(NAME))
    yield found
    app.state.gateway = found
    client.delete(f"/v1/collections/{NAME}?force=true").raise_for_status()


def cannot_change(client: TestClient, gateway: Gateway) -> None:
    app: Any = client.app
    index: Any = Unchanging(gateway.index)
    app.state.gateway = replace(gateway, index=index)


def migration_that_is(gateway: Gateway, state: MigrationState) -> Migration:
    info = gateway.index.collection(NAME)
    made = example_migration(
        collection=NAME,
        old=info.version,
        new=version_of(NAME, "abc"),
        old_space=info.space,
        space=info.space,
        dimension=info.dimension,
        quantization=Quantization.INT8,
        state=state,
    )
    return gateway.migrations.start(made)


def audited_while(client: TestClient, method: str, path: str, **sent: Any) -> list[dict[str, Any]]:
    """The audit lines of a request that ends with 503."""
    with capture_logs() as logged:
        answer = client.request(method, path, **sent)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    lines = [dict(line) for line in logged if line.get("audit")]
    assert [line["by"] for line in lines] == ["environment"] * len(lines)
    return lines


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("switch", MigrationState.READY, MigrationState.SWITCHED),
        ("rollback", MigrationState.SWITCHED, MigrationState.ROLLED_BACK),
        ("abort", MigrationState.READY, MigrationState.ABORTING),
        ("finish", MigrationState.SWITCHED, MigrationState.FINISHING),
        ("resume", MigrationState.FAILED, MigrationState.BUILDING),
    ],
)
def test_a_step_of_a_migration_that_breaks_off(
    client: TestClient, gateway: Gateway, step: str, before: MigrationState, after: MigrationState
) -> None:
    migration = migration_that_is(gateway, before)
    cannot_change(client, gateway)

    [line] = audited_while(client, "POST", f"/v1/migrations/{migration.id}/{step}")

    assert gateway.migrations.get(migration.id).state is after
    assert (
        line["event"]
        == {
            "switch": "migration_switched",
            "rollback": "migration_rolled_back",
            "abort": "migration_aborted",
            "finish": "migration_finished",
            "resume": "migration_resumed",
        }[step]
    )
    assert (line["migration_id"], line["collection"]) == (migration.id, NAME)


def test_a_migration_that_is_recorded_and_cannot_begin(client: TestClient, gateway: Gateway) -> None:
    asked = {"collection": NAME, "quantization": "int8"}

    [line] = audited_while(client, "POST", "/v1/migrations", json=asked)

    [recorded] = gateway.migrations.all()
    assert (line["event"], line["migration_id"]) == ("migration_started", recorded.id)


def test_a_step_that_is_refused_is_not_there(client: TestClient, gateway: Gateway) -> None:
    migration = migration_that_is(gateway, MigrationState.BUILDING)
    with capture_logs() as logged:
        for step in ("switch", "rollback", "finish"):
            assert client.post(f"/v1/migrations/{migration.id}/{step}").status_code == 409
        assert client.delete(f"/v1/collections/{NAME}").status_code == 409
    assert [line for line in logged if line.get("audit")] == []


def test_a_key_of_which_no_replica_knows_yet(client: TestClient, gateway: Gateway) -> None:
    [made] = audited_while(client, "POST", "/v1/keys", json={"name": "reader", "scope": "read"})
    [key_id] = gateway.keys.all()
    assert (made["event"], made["key_id"], made["scope"]) == ("key_made", key_id, "read")

    [revoked] = audited_while(client, "DELETE", f"/v1/keys/{key_id}")
    assert gateway.keys.all() == {}
    assert (revoked["event"], revoked["key_id"]) == ("key_revoked", key_id)


def test_a_deletion_that_breaks_off(client: TestClient, gateway: Gateway) -> None:
    cannot_change(client, gateway)

    [line] = audited_while(client, "DELETE", f"/v1/collections/{NAME}?force=true")

    assert (line["event"], line["collection"], line["force"]) == ("collection_deleted", NAME, True)


@pytest.mark.parametrize(
    ("path", "body", "event"),
    [
        ("export", {}, "collection_exported"),
        ("import", {"upload": "0" * 32}, "points_imported"),
    ],
)
def test_a_job_of_which_no_replica_knows_yet(
    client: TestClient, gateway: Gateway, path: str, body: dict[str, str], event: str
) -> None:
    [line] = audited_while(client, "POST", f"/v1/collections/{NAME}/{path}", json=body)

    assert (line["event"], line["collection"]) == (event, NAME)
    assert gateway.ledger.job(line["job_id"]).request.collection == NAME
