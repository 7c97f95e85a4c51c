"""Sessions of pages: a key in exchange for a cookie."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from sightline_api.gateway import GatewayDep
from sightline_api.http.access import PUBLIC
from sightline_api.http.origins import check_origin, sent_by_https
from sightline_api.http.sessions import COOKIE, LIFETIME


async def _check_origin(request: Request) -> None:
    check_origin(request, required=False)


router = APIRouter(prefix="/v1/session", tags=["service"], dependencies=[PUBLIC, Depends(_check_origin)])

MAX_SESSION_BYTES = 16 << 10


class SessionRequest(BaseModel):
    """What a session is opened with."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"key": "6f1c0b8e5d2a4937"}]})

    key: Annotated[SecretStr, Field(description="as `Authorization: Bearer` has it")]


@router.post("", status_code=HTTPStatus.NO_CONTENT)
async def open_session(request: Request, gateway: GatewayDep, body: SessionRequest) -> Response:
    """Exchange a key for a cookie that takes its place for 7 days. Where no key is set there is no cookie."""
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    if session := await gateway.callers.open_session(body.key.get_secret_value()):
        response.set_cookie(
            COOKIE,
            session,
            max_age=int(LIFETIME.total_seconds()),
            secure=sent_by_https(request),
            httponly=True,
            samesite="strict",
        )
    return response


@router.delete("", status_code=HTTPStatus.NO_CONTENT)
async def close_session() -> Response:
    """Take the cookie back. It needs no key: a session that has ended is cleared all the same."""
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
