"""Pages are plain files, under headers that keep them to their own origin."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Said here, for what Python would guess depends on the machine's own table of types."""


def page_headers(policy: Mapping[str, str]) -> dict[str, str]:
    """The headers of a page that loads and sends no more than a Content Security Policy allows."""
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        # Asked for again each time, and answered with 304 while it is the same: an upgrade shows at once.
        "Cache-Control": "no-cache",
    }


class PageFiles(StaticFiles):
    """The files of a folder, but for Python's, under the headers of their page."""

    def __init__(self, folder: Path, headers: Mapping[str, str]) -> None:
        super().__init__(directory=folder)
        self._headers = headers

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file at a path below the folder, or that it has not changed; HTTPException (404) if none is."""
        suffix = Path(path).suffix
        if suffix == ".py":
            raise HTTPException(HTTPStatus.NOT_FOUND)
        response = await super().get_response(path, scope)
        response.headers.update(self._headers)
        if suffix in _TYPES and "Content-Type" in response.headers:
            response.headers["Content-Type"] = _TYPES[suffix]
        return response
