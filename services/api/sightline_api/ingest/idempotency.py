"""Idempotency keys: a request that is sent again makes no second job."""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from sightline.queue.jobs import IdempotencyKey
from sightline_api.http.access import CallerDep
from sightline_api.http.callers import Caller

_KEY = Header(
    min_length=1,
    max_length=255,
    description="within 24 hours, the same key with the same request gives the same job",
)


@dataclass(frozen=True)
class RequestKey:
    """The key a caller gave, if any, within what it holds for: this caller and this route."""

    scoped: str | None

    def over(self, body: Any) -> IdempotencyKey | None:
        """The key together with what the request asks for, which is a JSON value."""
        return IdempotencyKey(key=self.scoped, body=_digest(body)) if self.scoped else None


def request_key(request: Request, caller: Caller, given: str | None) -> RequestKey:
    """The key `given` with a request, within what it holds for."""
    if given is None:
        return RequestKey(None)
    return RequestKey(_digest([caller.holder, request.method, request.url.path, given]))


def _request_key(
    request: Request, caller: CallerDep, idempotency_key: Annotated[str | None, _KEY] = None
) -> RequestKey:
    return request_key(request, caller, idempotency_key)


RequestKeyDep = Annotated[RequestKey, Depends(_request_key)]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
