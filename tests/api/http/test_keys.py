"""Keys in Redis: what they open, for whom, how long, and what stays when Redis goes."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis import Redis
from starlette.testclient import TestClient
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.http import callers, key_ring
from sightline_api.http.sessions import COOKIE

KEY = "b41c9e07d25f8a63"
ADMIN = {"name": "operations", "scope": "admin"}
READ = {"name": "reader", "scope": "read"}

Make = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def guarded(settings: Settings) -> Settings:
    return settings.model_copy(update={"api_key": SecretStr(KEY)})


@pytest.fixture(scope="module")
def guarded_client(guarded: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(guarded)) as client:
        yield client


@pytest.fixture(scope="module")
def open_client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def gateway(guarded_client: TestClient, redis: Redis) -> Iterator[TestClient]:
    yield as_new(guarded_client)
    redis.flushall()


@pytest.fixture
def open_gateway(open_client: TestClient, redis: Redis) -> Iterator[TestClient]:
    """One without a key in its settings."""
    yield as_new(open_client)
    redis.flushall()


def as_new(client: TestClient) -> TestClient:
    """A client without a session, of a gateway that asks an empty Redis for its keys."""
    client.cookies.clear()
    forget_keys(client)
    return client


def forget_keys(client: TestClient) -> None:
    app: Any = client.app
    app.state.gateway.key_ring.forget()


@pytest.fixture
def make(gateway: TestClient) -> Make:
    def make(**terms: Any) -> dict[str, Any]:
        answer = gateway.post("/v1/keys", json=READ | terms, headers=having(KEY))
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    return make


def having(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_key_is_shown_once_and_opens_what_its_scope_says(gateway: TestClient, make: Make) -> None:
    made = make()
    assert made["key"].startswith(f"sl_{made['id']}_")
    assert gateway.get("/v1/stats", headers=having(made["key"])).status_code == 200
    assert gateway.get("/v1/stats", headers={"X-API-Key": made["key"]}).status_code == 200
    listed = gateway.get("/v1/keys", headers=having(KEY))
    assert made["key"].removeprefix(f"sl_{made['id']}_") not in listed.text
    [known] = listed.json()["items"]
    assert known["last_used_at"]
    assert known | {"last_used_at": None} == {name: made[name] for name in made if name != "key"}

    refused = gateway.post("/v1/duplicates/scan", headers=having(made["key"]))
    assert refusal(refused) == (403, "forbidden")
    assert "scope read" in refused.json()["detail"]
    assert "scope write" in refused.json()["detail"]


def test_a_caller_learns_what_its_key_is_good_for(gateway: TestClient, make: Make) -> None:
    made = make(name="shop", collections=["shoes", "hats"])
    told = gateway.get("/v1/caller", headers=having(made["key"])).json()
    assert told == {
        "id": made["id"],
        "name": "shop",
        "scope": "read",
        "collections": ["hats", "shoes"],
        "default_collection": "images",
    }
    told = gateway.get("/v1/caller", headers=having(KEY)).json()
    assert (told["id"], told["scope"], told["collections"]) == ("environment", "admin", None)
    assert refusal(gateway.get("/v1/caller")) == (401, "unauthorized")


def test_where_there_are_no_keys_everybody_may_do_everything(open_gateway: TestClient) -> None:
    told = open_gateway.get("/v1/caller").json()
    assert (told["id"], told["scope"], told["collections"]) == ("anonymous", "admin", None)


def test_what_is_not_the_whole_key_opens_nothing(gateway: TestClient, make: Make) -> None:
    key, other = make()["key"], make()["key"]
    prefix, secret = key[:16], key[16:]
    for wrong in (key[:-1], f"{key}A", prefix, secret, f"{other[:16]}{secret}", key.upper(), f" {key}x"):
        assert refusal(gateway.get("/v1/stats", headers=having(wrong))) == (401, "unauthorized"), wrong
    for place in range(len(key)):
        altered = f"{key[:place]}{'A' if key[place] != 'A' else 'B'}{key[place + 1 :]}"
        assert gateway.get("/v1/stats", headers=having(altered)).status_code == 401, place


def test_an_answer_with_a_key_is_not_cached(gateway: TestClient) -> None:
    made = gateway.post("/v1/keys", json=READ, headers=having(KEY))
    assert made.headers["cache-control"] == "no-store"


def test_revoking_ends_a_key_and_its_sessions_at_once_here(gateway: TestClient, make: Make) -> None:
    made = make(scope="write")
    assert gateway.post("/v1/session", json={"key": made["key"]}).status_code == 204
    assert gateway.get("/v1/stats").status_code == 200
    assert gateway.delete(f"/v1/keys/{made['id']}", headers=having(KEY)).status_code == 204
    assert gateway.get("/v1/stats").status_code == 401
    assert gateway.get("/v1/stats", headers=having(made["key"])).status_code == 401
    gone = gateway.delete(f"/v1/keys/{made['id']}", headers=having(KEY))
    assert refusal(gone) == (404, "key_not_found")


def test_other_gateways_follow_within_seconds(gateway: TestClient, guarded: Settings, make: Make) -> None:
    with TestClient(create_app(guarded)) as other:

        @retry(
            retry=retry_if_result(lambda there: not there), stop=stop_after_delay(10), wait=wait_fixed(0.1)
        )
        def answers(status: int) -> bool:
            return other.get("/v1/stats", headers=having(made["key"])).status_code == status

        assert other.get("/v1/stats", headers=having(f"sl_{'0' * 12}_{'A' * 43}")).status_code == 401
        made = make()
        assert answers(200)
        gateway.delete(f"/v1/keys/{made['id']}", headers=having(KEY))
        assert answers(401)


def test_a_session_has_the_scope_of_its_key(gateway: TestClient, make: Make) -> None:
    gateway.post("/v1/session", json={"key": make()["key"]})
    same_site = {"Origin": "http://testserver"}
    assert gateway.get("/v1/model").status_code == 200
    assert refusal(gateway.post("/v1/duplicates/scan", headers=same_site)) == (403, "forbidden")
    assert gateway.get("/v1/keys").status_code == 403


def test_redis_alone_lets_nobody_make_a_session(
    gateway: TestClient, make: Make, redis: Redis, guarded: Settings
) -> None:
    made = make()
    gateway.post("/v1/session", json={"key": made["key"]})
    session = gateway.cookies[COOKIE]
    changed = guarded.model_copy(update={"api_key": SecretStr("e85a0f7713c6b92d")})
    with TestClient(create_app(changed), cookies={COOKIE: session}) as another:
        assert another.get("/v1/stats").status_code == 401
        assert another.get("/v1/stats", headers=having(made["key"])).status_code == 200


def test_emptying_redis_opens_nothing_where_the_environment_has_a_key(
    gateway: TestClient, make: Make, redis: Redis
) -> None:
    key = make()["key"]
    assert gateway.get("/v1/model", headers=having(key)).status_code == 200
    redis.flushall()
    forget_keys(gateway)

    assert gateway.get("/v1/model").status_code == 401
    assert gateway.get("/v1/model", headers=having(key)).status_code == 401
    assert gateway.get("/v1/model", headers=having(KEY)).status_code == 200


def test_a_key_expires(gateway: TestClient, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    made = make(expires_at=soon.isoformat())
    assert gateway.get("/v1/stats", headers=having(made["key"])).status_code == 200

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return soon.astimezone(tz)

    monkeypatch.setattr(callers, "datetime", Later)
    refused = gateway.get("/v1/stats", headers=having(made["key"]))
    assert refusal(refused) == (401, "unauthorized")
    assert "expired" in refused.json()["detail"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"scope": "root"},
        {"collections": []},
        {"collections": ["../up"]},
        {"scope": "admin", "collections": ["images"]},
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at": "2100-01-01T00:00:00"},
        {"rate_limit": "0/second"},
        {"rate_limit": "many"},
        {"ingest_quota": "10/fortnight"},
        {"secret": "mine"},
    ],
    ids=str,
)
def test_a_key_that_makes_no_sense_is_not_made(gateway: TestClient, wrong: dict[str, Any]) -> None:
    refused = gateway.post("/v1/keys", json=READ | wrong, headers=having(KEY))
    assert refusal(refused) == (422, "validation_failed")


def test_without_any_key_everybody_is_an_administrator_until_there_is_one(open_gateway: TestClient) -> None:
    refused = open_gateway.post("/v1/keys", json=READ)
    assert refusal(refused) == (409, "first_key_not_admin")
    assert open_gateway.get("/v1/keys").json()["items"] == []

    made = open_gateway.post("/v1/keys", json=ADMIN).json()
    assert open_gateway.get("/v1/stats").status_code == 401
    admin = having(made["key"])
    assert open_gateway.get("/v1/stats", headers=admin).status_code == 200
    reader = open_gateway.post("/v1/keys", json=READ, headers=admin).json()
    last = open_gateway.delete(f"/v1/keys/{made['id']}", headers=admin)
    assert refusal(last) == (409, "last_admin_key")
    for key_id in (reader["id"], made["id"]):
        assert open_gateway.delete(f"/v1/keys/{key_id}", headers=admin).status_code == 204
    assert open_gateway.get("/v1/stats").status_code == 200


def test_pages_of_other_sites_make_no_first_key(open_gateway: TestClient) -> None:
    refused = open_gateway.post("/v1/keys", json=ADMIN, headers={"Origin": "http://evil.example"})
    assert refusal(refused) == (403, "origin_forbidden")


def test_without_redis_the_key_of_the_environment_goes_on(guarded: Settings, make: Make) -> None:
    stored = make()["key"]
    gone = guarded.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with TestClient(create_app(gone)) as client:
        assert client.get("/v1/model", headers=having(KEY)).status_code == 200
        refused = client.get("/v1/model", headers=having(stored))
        assert refusal(refused) == (503, "service_unavailable")
        assert refused.headers["retry-after"]
        # What is no key of Redis' is known to be wrong without it.
        assert client.get("/v1/model", headers=having("wrong")).status_code == 401
        assert client.post("/v1/session", json={"key": KEY}).status_code == 204
        assert client.get("/v1/model").status_code == 200


def test_a_gateway_that_cannot_tell_whether_there_are_keys_serves_nobody(settings: Settings) -> None:
    gone = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with TestClient(create_app(gone)) as client:
        assert refusal(client.get("/v1/model")) == (503, "service_unavailable")


def test_one_that_knew_of_no_key_goes_on_when_redis_goes(
    open_gateway: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_ring, "FRESH_S", 0.0)
    assert open_gateway.get("/v1/model").status_code == 200
    with monkeypatch.context() as broken:
        ring = open_gateway.app.state.gateway.key_ring  # type: ignore[attr-defined]
        broken.setattr(ring._store, "_redis", silent())
        assert open_gateway.get("/v1/model").status_code == 200
    made = open_gateway.post("/v1/keys", json=ADMIN).json()
    with monkeypatch.context() as broken:
        broken.setattr(ring._store, "_redis", silent())
        assert open_gateway.get("/v1/model").status_code == 503
        assert open_gateway.get("/v1/model", headers=having(made["key"])).status_code == 503
    assert open_gateway.get("/v1/model", headers=having(made["key"])).status_code == 200


def silent() -> "Redis":
    return Redis.from_url("redis://127.0.0.1:1/0")


def test_what_administrators_do_is_logged_with_the_id_of_their_key(
    serve: Callable[..., Any], tmp_path: Path, redis: Redis, capfd: pytest.CaptureFixture[str]
) -> None:
    with serve(tmp_path, api_key=KEY, log_level="error") as served:
        made = served.api.post("/v1/keys", json=ADMIN, headers=having(KEY)).json()
        admin = having(made["key"])
        other = served.api.post("/v1/keys", json=READ, headers=admin).json()
        served.api.delete(f"/v1/keys/{other['id']}", headers=admin)
        served.api.post("/v1/collections", json={"name": "audited"}, headers=admin)
        served.api.post("/v1/collections/audited/optimize", headers=admin)
        served.api.delete("/v1/collections/audited", headers=admin)
    redis.flushall()
    logged = capfd.readouterr().err
    lines = [line for line in logged.splitlines() if " by=" in line]
    assert [line.partition(" event=")[2].split()[0] for line in lines] == [
        "key_made",
        "key_made",
        "key_revoked",
        "collection_made",
        "collection_optimized",
        "collection_deleted",
    ]
    assert "by=environment" in lines[0]
    assert all(f"by={made['id']}" in line for line in lines[1:])
    assert made["key"][16:] not in logged
    assert other["key"][16:] not in logged


def test_a_name_that_cannot_be_kept_is_refused(gateway: TestClient) -> None:
    half = {"Content-Type": "application/json"} | having(KEY)
    body = rb'{"name": "\ud800", "scope": "read"}'
    assert refusal(gateway.post("/v1/keys", content=body, headers=half)) == (422, "validation_failed")
