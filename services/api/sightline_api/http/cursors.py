"""Opaque cursors, bound to the request they came from."""

import base64
import binascii
import hashlib
import json
from http import HTTPStatus
from typing import Any

from sightline_api.http.problems import ApiError

_DIGEST_CHARACTERS = 16


def make_cursor(position: str | int, request: Any) -> str:
    """A cursor for going on with `request` (any JSON value) from `position`."""
    body = json.dumps([position, _digest(request)]).encode()
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def read_cursor(cursor: str, request: Any) -> str | int:
    """The position in a cursor; raises ApiError if it was not made for `request`."""
    try:
        position, digest = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        made_for_this = digest == _digest(request) and isinstance(position, str | int)
    except (binascii.Error, ValueError, TypeError):
        made_for_this = False
    if not made_for_this:
        detail = "The cursor does not belong to this request. Start again without a cursor."
        raise ApiError(HTTPStatus.BAD_REQUEST, "cursor_mismatch", detail)
    found: str | int = position
    return found


def _digest(request: Any) -> str:
    text = json.dumps(request, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]
