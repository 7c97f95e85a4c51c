"""Keys as a real Redis keeps them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from sightline.errors import KeyNotFound, KeyRefused, Unavailable
from sightline.queue import keys
from sightline.queue.connection import connect_redis
from sightline.queue.keys import KEY_FORM, KeyStore, KeyTerms, Scope, digest_of

ADMIN = KeyTerms(name="operations", scope=Scope.ADMIN)
SHOP = KeyTerms(
    name="shop",
    scope=Scope.WRITE,
    collections=("products",),
    expires_at=datetime(2100, 1, 1, tzinfo=UTC),
    rate_limit="1/second",
    ingest_quota="1/day",
)


@pytest.fixture
def store(redis: Redis) -> KeyStore:
    return KeyStore(redis)


def test_a_key_comes_back_as_it_was_made(store: KeyStore) -> None:
    made, secret = store.make(SHOP, first_is_admin=False)
    assert store.all() == {made.id: made}
    assert made.model_dump(include=set(KeyTerms.model_fields)) == SHOP.model_dump()
    assert made.digest == digest_of(secret)
    named = KEY_FORM.fullmatch(secret)
    assert named
    assert named["id"] == made.id


def test_redis_never_has_the_key_itself(store: KeyStore, redis: Redis) -> None:
    made, secret = store.make(ADMIN, first_is_admin=True)
    store.note_use(made.id)
    kept = [value for name in redis.scan_iter() for pair in redis.hgetall(name).items() for value in pair]
    assert kept
    assert not any(secret.rpartition(f"{made.id}_")[2] in value for value in kept)


def test_every_key_is_different(store: KeyStore) -> None:
    assert len({store.make(ADMIN, first_is_admin=False)[1] for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("scope", "covered"),
    [(Scope.READ, {"read"}), (Scope.WRITE, {"read", "write"}), (Scope.ADMIN, {"read", "write", "admin"})],
)
def test_scopes_are_ranked(scope: Scope, covered: set[str]) -> None:
    assert {other.value for other in Scope if scope.covers(other)} == covered


@pytest.mark.parametrize("terms", [SHOP, ADMIN.model_copy(update={"expires_at": SHOP.expires_at})])
def test_the_first_key_can_make_others_for_good(store: KeyStore, terms: KeyTerms) -> None:
    with pytest.raises(KeyRefused, match="first key has the scope admin") as refused:
        store.make(terms, first_is_admin=True)
    assert refused.value.code == "first_key_not_admin"
    assert store.all() == {}
    store.make(ADMIN, first_is_admin=True)
    store.make(terms, first_is_admin=True)
    assert len(store.all()) == 2


def test_somebody_can_always_revoke_the_others(store: KeyStore) -> None:
    first, _ = store.make(ADMIN, first_is_admin=True)
    shop, _ = store.make(SHOP, first_is_admin=True)
    second, _ = store.make(ADMIN, first_is_admin=True)
    store.revoke(first.id, keep_admin=True)
    with pytest.raises(KeyRefused) as refused:
        store.revoke(second.id, keep_admin=True)
    assert refused.value.code == "last_admin_key"
    store.revoke(shop.id, keep_admin=True)
    store.revoke(second.id, keep_admin=True)
    assert store.all() == {}


def test_admins_who_revoke_one_another_at_once_leave_one(store: KeyStore) -> None:
    made = [store.make(ADMIN, first_is_admin=True)[0] for _ in range(4)]
    store.make(SHOP, first_is_admin=True)

    def revoke(key: keys.Key) -> bool:
        try:
            store.revoke(key.id, keep_admin=True)
        except KeyRefused:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(revoke, made)) == [False, True, True, True]
    assert sorted(key.scope for key in store.all().values()) == ["admin", "write"]


def test_a_key_is_revoked_once(store: KeyStore) -> None:
    made, _ = store.make(ADMIN, first_is_admin=True)
    assert store.revoke(made.id, keep_admin=False) == made
    with pytest.raises(KeyNotFound, match=made.id):
        store.revoke(made.id, keep_admin=False)


def test_use_is_noted_of_keys_that_are_there(store: KeyStore) -> None:
    made, _ = store.make(ADMIN, first_is_admin=True)
    assert store.last_used() == {}
    store.note_use(made.id)
    assert abs(datetime.now(UTC) - store.last_used()[made.id]) < timedelta(minutes=1)
    store.revoke(made.id, keep_admin=False)
    store.note_use(made.id)
    assert store.last_used() == {}


def test_there_is_an_end_to_keys(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MAX_KEYS", 2)
    for _ in range(2):
        store.make(ADMIN, first_is_admin=True)
    with pytest.raises(KeyRefused) as refused:
        store.make(ADMIN, first_is_admin=True)
    assert refused.value.code == "too_many_keys"


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.all(),
        lambda store: store.last_used(),
        lambda store: store.make(ADMIN, first_is_admin=True),
        lambda store: store.revoke("k", keep_admin=True),
        lambda store: store.note_use("k"),
    ],
)
def test_without_redis_every_call_says_so(call: Callable[[KeyStore], object]) -> None:
    with pytest.raises(Unavailable, match="record of keys"):
        call(KeyStore(connect_redis("redis://127.0.0.1:1/0")))
