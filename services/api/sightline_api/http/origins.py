"""Which page a browser sends a request for: those of other sites may not change anything.

A browser adds its cookies, and its way to a loopback address, to whatever any page asks it to send. It also
says whose page that is, in the header `Origin`.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import Request

from sightline_api.http.problems import ApiError

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PORTS = {"http": 80, "https": 443}


def check_origin(request: Request, *, required: bool) -> None:
    """Raise ApiError (403) for a request that may change something and is sent for a page of another site.

    Programs send no `Origin`. It is `required` of what only a browser has: a session.
    """
    origin = request.headers.get("Origin")
    if request.method in _SAFE_METHODS or (origin is None and not required):
        return
    host = request.headers.get("Host", "")
    if origin is None:
        raise _forbidden(
            "A request with a session changes something only if its `Origin` header says whose page sent it. "
            "Programs send the key itself: `Authorization: Bearer KEY` or `X-API-Key: KEY`."
        )
    if not _names(origin, host):
        raise _forbidden(
            f"The request was sent for a page of {origin!r}, and only pages of {host!r}, where it was sent, "
            f"may change anything. If this is such a page and a proxy replaces the `Host` header in between, "
            f"have it pass on the visitor's. Programs leave `Origin` out, or send the key in a header."
        )


def sent_by_https(request: Request) -> bool:
    """Whether the browser reached this gateway by https, also where a proxy took the TLS off."""
    return request.url.scheme == "https" or request.headers.get("Origin", "").startswith("https:")


def _names(origin: str, host: str) -> bool:
    """Whether they are one host and port. The scheme is left out: a proxy that ends TLS changes it."""
    try:
        page, asked = urlsplit(origin), urlsplit(f"//{host}")
        port = _PORTS[page.scheme]
        return (page.hostname, page.port or port) == (asked.hostname, asked.port or port)
    except (KeyError, ValueError):
        return False


def _forbidden(detail: str) -> ApiError:
    return ApiError(HTTPStatus.FORBIDDEN, "origin_forbidden", detail)
