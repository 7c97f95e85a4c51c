"""Opaque cursors, bound to the request they came from."""

import base64
import binascii
import hashlib
import json
from http import HTTPStatus
from typing import Any

from sightline_api.http.problems import ApiError

_DIGEST_CHARACTERS = 16
_MOST = 2**53
"""Beyond what anything is counted to, and short of what Redis and JSON can count to."""


def make_cursor(position: str | int, request: Any) -> str:
    """A cursor for going on with `request` (any JSON value) from `position`."""
    body = json.dumps([position, _digest(request)]).encode()
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def read_cursor(cursor: str, request: Any) -> str | int:
    """The position in a cursor; raises ApiError if it was not made for `request`.

    Anybody can make a cursor: a position is of the right type, and may be one that was never given out.
    """
    try:
        position, digest = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        made_for_this = digest == _digest(request) and _is_position(position)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        made_for_this = False
    if not made_for_this:
        raise _mismatch()
    found: str | int = position
    return found


def read_number(cursor: str, request: Any, *, below: int = _MOST) -> int:
    """The position in a cursor that counts; raises ApiError also for one from `below` on."""
    position = read_cursor(cursor, request)
    if not isinstance(position, int) or position >= below:
        raise _mismatch()
    return position


def _is_position(value: Any) -> bool:
    return isinstance(value, str) or (type(value) is int and 0 <= value < _MOST)


def _mismatch() -> ApiError:
    detail = "The cursor does not belong to this request. Start again without a cursor."
    return ApiError(HTTPStatus.BAD_REQUEST, "cursor_mismatch", detail)


def _digest(request: Any) -> str:
    text = json.dumps(request, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]
