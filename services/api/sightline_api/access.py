"""Who may call: one key from the environment, or anybody on a loopback address."""

import hmac
from http import HTTPStatus
from ipaddress import ip_address
from typing import Annotated

from fastapi import Depends, Header
from sightline.errors import SettingsError
from sightline.settings import Settings

from sightline_api.gateway import GatewayDep
from sightline_api.problems import ApiError


def check_bind(settings: Settings) -> None:
    """Refuse to serve anybody who can reach the machine without a key, unless that is wanted."""
    if settings.api_key is None and not settings.allow_anonymous and not _is_loopback(settings.host):
        raise SettingsError(
            f"SIGHTLINE_HOST is {settings.host}, which other machines can reach, and no key is set. Set "
            f"SIGHTLINE_API_KEY, or SIGHTLINE_ALLOW_ANONYMOUS=true if anybody may read and write."
        )


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


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
