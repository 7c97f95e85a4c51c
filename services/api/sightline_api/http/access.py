"""Who may call: whoever has the key, or anybody where none is set (see `binding`)."""

import hmac
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header

from sightline.settings import Settings
from sightline_api.gateway import GatewayDep
from sightline_api.http.problems import ApiError


def check_key(settings: Settings, authorization: str | None, x_api_key: str | None) -> str:
    """The key that these headers offer, '' where none is set; raises ApiError (401) for a wrong one."""
    if settings.api_key is None:
        return ""
    scheme, _, bearer = (authorization or "").partition(" ")
    offered = bearer if scheme.lower() == "bearer" else x_api_key or ""
    if not hmac.compare_digest(offered.encode(), settings.api_key.get_secret_value().encode()):
        detail = "The key is missing or wrong. Send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`."
        headers = {"WWW-Authenticate": "Bearer"}
        raise ApiError(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, headers)
    return offered


async def _key_holder(
    gateway: GatewayDep,
    authorization: Annotated[str | None, Header()] = None,
    x_api_key: Annotated[str | None, Header()] = None,
) -> str:
    """A name for whoever has the key: its SHA-256."""
    return sha256(check_key(gateway.settings, authorization, x_api_key).encode()).hexdigest()


RequireKey = Depends(_key_holder)
KeyHolderDep = Annotated[str, RequireKey]
