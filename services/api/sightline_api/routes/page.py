"""The web page."""

from pathlib import Path

from fastapi import APIRouter, Request, Response

from sightline_api.http.access import PUBLIC
from sightline_api.http.page_files import PageFiles, page_headers

FILES = Path(__file__).parent.parent / "web"

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    # Pictures that somebody searches by are shown from memory.
    "img-src": "'self' blob:",
    "connect-src": "'self'",
    "form-action": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    # No string becomes markup but through the template library's own policy.
    "require-trusted-types-for": "'script'",
    "trusted-types": "lit-html",
}
_PAGE = PageFiles(FILES, page_headers(_POLICY))

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC])


@router.api_route("/", methods=["GET", "HEAD"])
async def get_page(request: Request) -> Response:
    """The page, which shows whatever its address asks for."""
    return await _PAGE.get_response("index.html", request.scope)


@router.api_route("/web/{path:path}", methods=["GET", "HEAD"])
async def get_page_file(path: str, request: Request) -> Response:
    """A script or a style of the page."""
    return await _PAGE.get_response(path, request.scope)
