"""Keys of the API: who may call, what for, and in which collections. Redis keeps hashes of them alone."""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar, cast

from pydantic import BaseModel, ConfigDict
from redis import Redis
from redis.client import Pipeline

from sightline.errors import KeyNotFound, KeyRefused
from sightline.queue.connection import redis_errors

MAX_KEYS = 1_000
"""Whoever checks keys holds all of them in memory."""
KEY_FORM = re.compile(r"sl_(?P<id>[0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_SECRET_BYTES = 32
_SERVICE = "the record of keys"
_KEYS = "sightline:keys"
_USED = "sightline:keys:used"
_NOTE_USE = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
    redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
end
"""
_T = TypeVar("_T")


class Scope(StrEnum):
    """What a key may do; each may do what those before it may."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def covers(self, other: "Scope") -> bool:
        """Whether whoever has this scope may do what wants the other."""
        ranked = list(Scope)
        return ranked.index(self) >= ranked.index(other)


class KeyTerms(BaseModel):
    """What a key is good for. `collections` are the only ones it may use; None: all of them.

    `rate_limit` and `ingest_quota` take the place of those in the settings; times are timezone-aware.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    scope: Scope
    collections: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    rate_limit: str | None = None
    ingest_quota: str | None = None


class Key(KeyTerms):
    """A key as it is kept: `digest` is the SHA-256 of the whole key, in hexadecimal digits."""

    id: str
    digest: str
    created_at: datetime

    def good_at(self, moment: datetime) -> bool:
        """Whether it has not expired then."""
        return self.expires_at is None or moment < self.expires_at


def digest_of(key: str) -> str:
    """What is kept of a key. It is random, so that nobody finds it by trying: a fast hash is enough."""
    # JSON can carry what UTF-8 cannot: half a surrogate pair.
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


class KeyStore:
    """The keys in Redis. Every call raises Unavailable when it does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._note_use = redis.register_script(_NOTE_USE)

    def all(self) -> Mapping[str, Key]:
        """Every key by its id, expired ones too."""
        with redis_errors(_SERVICE):
            return _read(cast(dict[str, str], self._redis.hgetall(_KEYS)))

    def last_used(self) -> Mapping[str, datetime]:
        """When keys were used last, by id, give or take a minute."""
        with redis_errors(_SERVICE):
            times = cast(dict[str, str], self._redis.hgetall(_USED))
        return {key_id: datetime.fromisoformat(at) for key_id, at in times.items()}

    def make(self, terms: KeyTerms, *, first_is_admin: bool) -> tuple[Key, str]:
        """Keep a new key; the second result is the key itself, which cannot be had again.

        Raises KeyRefused when there are as many as may be, and where `first_is_admin` for a first key that
        is not: nobody could make another.
        """
        key_id, now = secrets.token_hex(6), datetime.now(UTC)
        secret = f"sl_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        made = Key(id=key_id, digest=digest_of(secret), created_at=now, **terms.model_dump())

        def keep(held: Mapping[str, Key], pipe: Pipeline) -> None:
            if first_is_admin and not held and (made.scope is not Scope.ADMIN or made.expires_at):
                raise KeyRefused(
                    "first_key_not_admin",
                    "The first key has the scope admin and does not expire: from then on every call needs "
                    "a key, and only such a one can make others.",
                )
            if len(held) >= MAX_KEYS:
                detail = f"There are {len(held)} keys, as many as may be. Revoke those that nobody uses."
                raise KeyRefused("too_many_keys", detail)
            pipe.hset(_KEYS, key_id, made.model_dump_json())

        self._change(keep)
        return made, secret

    def revoke(self, key_id: str, *, keep_admin: bool) -> Key:
        """Forget a key and return what it was; raises KeyNotFound.

        Where `keep_admin`, raises KeyRefused for the last admin key that does not expire while there are
        others: nobody could make or revoke keys afterwards.
        """

        def forget(held: Mapping[str, Key], pipe: Pipeline) -> Key:
            if key_id not in held:
                raise KeyNotFound(key_id)
            left = [one for one in held.values() if one.id != key_id]
            if keep_admin and left and not any(_stays_admin(one) for one in left):
                raise KeyRefused(
                    "last_admin_key",
                    f"Key {key_id} is the last admin key that does not expire. Revoke the other keys first, "
                    f"or make another such key.",
                )
            pipe.hdel(_KEYS, key_id)
            pipe.hdel(_USED, key_id)
            return held[key_id]

        return self._change(forget)

    def note_use(self, key_id: str) -> None:
        """Note that a key was used now, if it is still there."""
        with redis_errors(_SERVICE):
            self._note_use(keys=[_KEYS, _USED], args=[key_id, datetime.now(UTC).isoformat()])

    def _change(self, change: Callable[[Mapping[str, Key], Pipeline], _T]) -> _T:
        """Change the keys by what they are at that moment: asked again if others changed them meanwhile."""

        def attempt(pipe: Pipeline) -> _T:
            held = _read(cast(dict[str, str], pipe.hgetall(_KEYS)))
            pipe.multi()
            return change(held, pipe)

        with redis_errors(_SERVICE):
            # Annotated for callables whose values are not asked for.
            return cast(_T, self._redis.transaction(attempt, _KEYS, value_from_callable=True))  # type: ignore[arg-type]


def _stays_admin(key: Key) -> bool:
    return key.scope is Scope.ADMIN and key.expires_at is None


def _read(records: Mapping[str, str]) -> Mapping[str, Key]:
    return {key_id: Key.model_validate_json(record) for key_id, record in records.items()}
