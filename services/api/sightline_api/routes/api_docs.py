"""What OpenAPI says, for people: Swagger UI, out of a package and not from a network of others."""

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse

from sightline_api.http.access import PUBLIC
from sightline_api.http.page_files import PageFiles, page_headers

_FILES = Path(str(files("fastapi_swagger") / "resources"))
_PAGE = get_swagger_ui_html(
    title="Sightline API",
    openapi_url="/openapi.json",
    swagger_js_url="/docs/swagger-ui-bundle.js",
    swagger_css_url="/docs/swagger-ui.css",
    swagger_favicon_url="/docs/favicon-32x32.png",
).body


def _script_hashes(page: bytes) -> str:
    """The scripts written in a page, as a policy names them."""
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    return " ".join(f"'sha256-{b64encode(sha256(script).digest()).decode()}'" for script in scripts)


_HEADERS = page_headers(
    {
        "default-src": "'none'",
        "script-src": f"'self' {_script_hashes(bytes(_PAGE))}",
        # Swagger UI has styles in its markup, and icons in its styles.
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
)
_SWAGGER_UI = PageFiles(_FILES, _HEADERS)

router = APIRouter(include_in_schema=False, dependencies=[PUBLIC])


@router.get("/openapi.json")
async def get_openapi(request: Request) -> JSONResponse:
    """The API as OpenAPI describes it."""
    return JSONResponse(request.app.openapi())


@router.api_route("/docs", methods=["GET", "HEAD"])
async def get_docs() -> Response:
    """Every call, with forms to try it."""
    return Response(_PAGE, headers=_HEADERS, media_type="text/html")


@router.api_route("/docs/{path:path}", methods=["GET", "HEAD"])
async def get_docs_file(path: str, request: Request) -> Response:
    """Swagger UI's script and style."""
    return await _SWAGGER_UI.get_response(path, request.scope)
