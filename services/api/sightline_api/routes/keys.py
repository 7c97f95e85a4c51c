"""Keys: made, listed and revoked by administrators."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Path, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from sightline.errors import KeyRefused
from sightline.queue.keys import Key, KeyTerms, Scope
from sightline.settings import CollectionName, RateLimit
from sightline_api.gateway import GatewayDep
from sightline_api.http.access import ADMIN, CallerDep
from sightline_api.http.audit import audit
from sightline_api.http.bounded_routes import BoundedRoute
from sightline_api.http.callers import ANONYMOUS
from sightline_api.http.example_values import KEY_ID
from sightline_api.http.problems import ApiError
from sightline_api.ingest.picture_details import storable

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=BoundedRoute, dependencies=[ADMIN])

MAX_COLLECTIONS = 100


def _check_future(moment: datetime) -> datetime:
    if moment <= datetime.now(UTC):
        raise ValueError("a key expires in the future")
    return moment


def _check_name(name: str) -> str:
    return str(storable(name, "name"))


class KeyRequest(BaseModel):
    """What a new key is good for. Left out: all collections, for good, within the limits of the settings."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "operations", "scope": "admin"},
                {
                    "name": "shop",
                    "scope": "write",
                    "collections": ["products"],
                    "expires_at": "2100-01-01T00:00:00Z",
                    "rate_limit": "600/minute",
                    "ingest_quota": "100000/day",
                },
            ]
        },
    )

    name: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_check_name)]
    scope: Scope
    collections: Annotated[list[CollectionName], Field(min_length=1, max_length=MAX_COLLECTIONS)] | None = (
        None
    )
    expires_at: Annotated[AwareDatetime, AfterValidator(_check_future)] | None = None
    rate_limit: RateLimit | None = None
    ingest_quota: RateLimit | None = None

    @model_validator(mode="after")
    def _administers_everything(self) -> Self:
        if self.scope is Scope.ADMIN and self.collections is not None:
            raise ValueError("an admin key is for all collections: leave `collections` out")
        return self


class KeyResource(BaseModel):
    """A key, without what it is. `last_used_at` is right to a minute."""

    id: str
    name: str
    scope: Scope
    collections: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    rate_limit: str | None
    ingest_quota: str | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: Key, last_used_at: datetime | None = None) -> Self:
        """The resource of a key."""
        return cls(**key.model_dump(exclude={"digest"}), last_used_at=last_used_at)


class NewKey(KeyResource):
    """A key as it was made: `key` is shown this once."""

    key: str


class KeyList(BaseModel):
    """All keys, in the order they were made; `SIGHTLINE_API_KEY` is not one of them."""

    items: list[KeyResource]
    next_cursor: None = None


@router.post("", status_code=HTTPStatus.CREATED)
def make_key(gateway: GatewayDep, caller: CallerDep, body: KeyRequest, response: Response) -> NewKey:
    """Make a key, which the answer alone shows. The first one, where no key is set, is an admin's."""
    terms = KeyTerms(**body.model_dump())
    try:
        made, key = gateway.keys.make(terms, first_is_admin=caller.id == ANONYMOUS)
    except KeyRefused as error:
        raise _conflict(error) from error
    # Before the replicas are waited for: where they are late the key is there all the same.
    audit(caller, "key_made", key_id=made.id, scope=made.scope.value, collections=made.collections)
    gateway.key_ring.forget()
    gateway.ledger.await_replicas()
    response.headers["Cache-Control"] = "no-store"
    return NewKey(**KeyResource.of(made).model_dump(), key=key)


@router.get("")
def list_keys(gateway: GatewayDep) -> KeyList:
    """All keys, without what they are."""
    last_used = gateway.keys.last_used()
    found = sorted(gateway.keys.all().values(), key=lambda key: (key.created_at, key.id))
    return KeyList(items=[KeyResource.of(key, last_used.get(key.id)) for key in found])


@router.delete("/{key_id}", status_code=HTTPStatus.NO_CONTENT)
def revoke_key(
    gateway: GatewayDep,
    caller: CallerDep,
    key_id: Annotated[str, Path(description="the id of a key", examples=[KEY_ID])],
) -> None:
    """Revoke a key: within two seconds it opens nothing, and no session that was opened with it."""
    try:
        gateway.keys.revoke(key_id, keep_admin=not gateway.settings.api_key)
    except KeyRefused as error:
        raise _conflict(error) from error
    audit(caller, "key_revoked", key_id=key_id)
    gateway.key_ring.forget()
    gateway.ledger.await_replicas()


def _conflict(error: KeyRefused) -> ApiError:
    return ApiError(HTTPStatus.CONFLICT, error.code, str(error))
