"""Who may call: whoever has the key, or anybody where none is set (see `binding`)."""

import hmac
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header

from sightline_api.gateway import GatewayDep
from sightline_api.problems import ApiError


def require_key(
    gateway: GatewayDep,
    authorization: Annotated[str | None, Header()] = None,
    x_api_key: Annotated[str | None, Header()] = None,
) -> None:
    """Raise ApiError (401) unless the request carries the key, where one is set."""
    expected = gateway.settings.api_key
    if expected is None:
        return
    scheme, _, bearer = (authorization or "").partition(" ")
    offered = bearer if scheme.lower() == "bearer" else x_api_key or ""
    if not hmac.compare_digest(offered.encode(), expected.get_secret_value().encode()):
        detail = "The key is missing or wrong. Send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`."
        headers = {"WWW-Authenticate": "Bearer"}
        raise ApiError(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, headers)


RequireKey = Depends(require_key)
