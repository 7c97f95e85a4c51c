"""Who calls: the holder of a key, of a session opened with one, or where there are no keys anybody."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import Request

from sightline.errors import CollectionNotFound
from sightline.queue.keys import KEY_FORM, Key, Scope, digest_of
from sightline.settings import Settings
from sightline_api.http.key_ring import KeyRing
from sightline_api.http.origins import check_origin
from sightline_api.http.problems import ApiError
from sightline_api.http.sessions import COOKIE, claimed_key_id, is_session, new_session

ENVIRONMENT = "environment"
"""The id of SIGHTLINE_API_KEY."""
ANONYMOUS = "anonymous"
_NO_DIGEST = "0" * 64


@dataclass(frozen=True)
class Caller:
    """Whoever sent a request; `holder` is different for every key, and `id` may be logged."""

    id: str
    name: str
    holder: str
    scope: Scope
    collections: frozenset[str] | None = None
    """The only ones that it may know of; None: all of them."""
    rate_limit: str | None = None
    ingest_quota: str | None = None

    def may_use(self, collection: str) -> bool:
        """Whether the caller may know of the collection."""
        return self.collections is None or collection in self.collections

    def check(self, collection: str) -> str:
        """The collection; raises CollectionNotFound, as if it did not exist, for one of others."""
        if not self.may_use(collection):
            raise CollectionNotFound(collection)
        return collection


class Callers:
    """Tells callers by what they send. SIGHTLINE_API_KEY is known without Redis, other keys are in it."""

    def __init__(self, settings: Settings, ring: KeyRing) -> None:
        self._settings = settings
        self._ring = ring
        self._key = settings.api_key.get_secret_value() if settings.api_key else ""

    async def of(self, request: Request) -> Caller:
        """The caller of a request.

        Raises ApiError: 401 without a key, or with a wrong one; 403 where another site's page makes a browser
        send it. Raises Unavailable where only Redis could tell. A key in a header, which no other site can
        send, counts before a session.
        """
        if await self.is_open():
            check_origin(request, required=False)
            return self._anonymous()
        offered = _key_in_header(request)
        session = request.cookies.get(COOKIE)
        if offered is not None or session is None:
            return await self.with_key(offered or "")
        caller = await self._with_session(session)
        check_origin(request, required=True)
        return caller

    async def is_open(self) -> bool:
        """Whether there are no keys at all, so that anybody may do anything."""
        return not self._key and not await self._ring.keys()

    async def with_key(self, offered: str) -> Caller:
        """The caller who has this key; raises ApiError (401) and Unavailable as `of` does."""
        if self._is_environment(offered):
            return self._environment()
        named = KEY_FORM.fullmatch(offered)
        key = (await self._ring.keys()).get(named["id"]) if named else None
        right = hmac.compare_digest(digest_of(offered), key.digest if key else _NO_DIGEST)
        if key is None or not right:
            raise _unauthorized(
                "The key is missing or wrong. Send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`."
            )
        return await self._with_stored(key)

    async def open_session(self, offered: str) -> str | None:
        """A session in exchange for a key, None where there are no keys; raises as `with_key` does."""
        if await self.is_open():
            return None
        caller = await self.with_key(offered)
        return new_session(caller.id, self._secret("" if caller.id == ENVIRONMENT else digest_of(offered)))

    async def _with_session(self, session: str) -> Caller:
        key_id = claimed_key_id(session)
        if key_id == ENVIRONMENT:
            if self._key and is_session(session, key_id, self._secret()):
                return self._environment()
        else:
            key = (await self._ring.keys()).get(key_id)
            if key is not None and is_session(session, key_id, self._secret(key.digest)):
                return await self._with_stored(key)
        raise _unauthorized("The session has ended. Send the key to `POST /v1/session` for a new one.")

    def _secret(self, digest: str = "") -> str:
        """What sessions are signed with: SIGHTLINE_API_KEY too, so that Redis alone lets nobody make one."""
        return f"{self._key}{digest}"

    async def _with_stored(self, key: Key) -> Caller:
        if not key.good_at(datetime.now(UTC)):
            raise _unauthorized(f"Key {key.id} has expired. Ask for a new one.")
        await self._ring.note_use(key)
        return Caller(
            id=key.id,
            name=key.name,
            holder=key.id,
            scope=key.scope,
            collections=None if key.collections is None else frozenset(key.collections),
            rate_limit=key.rate_limit or self._settings.rate_limit,
            ingest_quota=key.ingest_quota or self._settings.ingest_quota,
        )

    def _is_environment(self, offered: str) -> bool:
        # JSON can carry what UTF-8 cannot: half a surrogate pair.
        sent = offered.encode(errors="surrogatepass")
        return bool(self._key) and hmac.compare_digest(sent, self._key.encode())

    def _environment(self) -> Caller:
        holder = hashlib.sha256(self._key.encode()).hexdigest()
        return self._administrator(ENVIRONMENT, "SIGHTLINE_API_KEY", holder)

    def _anonymous(self) -> Caller:
        return self._administrator(ANONYMOUS, ANONYMOUS, ANONYMOUS)

    def _administrator(self, caller_id: str, name: str, holder: str) -> Caller:
        limits = (self._settings.rate_limit, self._settings.ingest_quota)
        return Caller(caller_id, name, holder, Scope.ADMIN, None, *limits)


def _key_in_header(request: Request) -> str | None:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return bearer if scheme.lower() == "bearer" else request.headers.get("X-API-Key")


def _unauthorized(detail: str) -> ApiError:
    return ApiError(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, {"WWW-Authenticate": "Bearer"})
