"""Errors as RFC 9457 problem documents: the only place that knows which status an error has."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import Match

from sightline import errors
from sightline_api.http.problem_document import MEDIA_TYPE, Problem
from sightline_api.http.request_id import request_id

_log = structlog.get_logger(__name__)


class ApiError(errors.SightlineError):
    """A fault of the request that only the gateway knows of."""

    def __init__(
        self, status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = headers


# The first class that fits decides, so subclasses stand before their parents.
_STATUS_AND_CODE: tuple[tuple[type[errors.SightlineError], HTTPStatus, str], ...] = (
    (errors.CollectionNotFound, HTTPStatus.NOT_FOUND, "collection_not_found"),
    (errors.ImageNotFound, HTTPStatus.NOT_FOUND, "image_not_found"),
    (errors.JobNotFound, HTTPStatus.NOT_FOUND, "job_not_found"),
    (errors.KeyNotFound, HTTPStatus.NOT_FOUND, "key_not_found"),
    (errors.MigrationNotFound, HTTPStatus.NOT_FOUND, "migration_not_found"),
    (errors.NotFound, HTTPStatus.NOT_FOUND, "not_found"),
    (errors.FieldNotIndexed, HTTPStatus.UNPROCESSABLE_ENTITY, "field_not_indexed"),
    (errors.QueryCancelsOut, HTTPStatus.UNPROCESSABLE_ENTITY, "query_cancels_out"),
    (errors.IdempotencyKeyReused, HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
    (errors.BadRequest, HTTPStatus.UNPROCESSABLE_ENTITY, "bad_request"),
    (errors.BadPicture, HTTPStatus.UNPROCESSABLE_ENTITY, "bad_picture"),
    (errors.CollectionBeingDeleted, HTTPStatus.CONFLICT, "collection_being_deleted"),
    (errors.SpaceMismatch, HTTPStatus.CONFLICT, "space_mismatch"),
    (errors.ModelError, HTTPStatus.CONFLICT, "space_mismatch"),
    (errors.StorageFull, HTTPStatus.INSUFFICIENT_STORAGE, "storage_full"),
    (errors.Unavailable, HTTPStatus.SERVICE_UNAVAILABLE, "service_unavailable"),
)
_FAULTS_SHOWN = 20
_RETRY_AFTER_S = "5"
_RETRY_WHEN_FULL_AFTER_S = "60"
"""Somebody has to make room."""


def field_fault(fault: str, *field: str) -> RequestValidationError:
    """What to raise for a body with a fault in one field, where FastAPI does not look by itself."""
    return RequestValidationError([{"loc": ("body", *field), "msg": fault, "type": "value_error"}])


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error that the application raises on purpose with a problem document.

    DefectsMiddleware answers the others. The handlers are coroutines: others would wait for a thread, which a
    refused request must not.
    """
    app.add_exception_handler(errors.SightlineError, _on_sightline_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


def problem(
    request: Request,
    status: HTTPStatus,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """A problem document; `code` is stable, `detail` is for people."""
    document = Problem(
        type=f"urn:sightline:problem:{code}",
        title=status.phrase,
        status=status.value,
        detail=detail,
        code=code,
        request_id=request_id(request),
        **more,
    )
    return JSONResponse(document.model_dump(), status_code=status, headers=headers, media_type=MEDIA_TYPE)


async def _on_sightline_error(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, ApiError):
        return problem(request, error.status, error.code, str(error), headers=error.headers)
    if isinstance(error, errors.MigrationRefused):
        return problem(request, HTTPStatus.CONFLICT, error.code, str(error))
    for kind, status, code in _STATUS_AND_CODE:
        if isinstance(error, kind):
            return problem(request, status, code, str(error), **_more(error))
    return defect_answer(request, error)


def _more(error: errors.SightlineError) -> dict[str, Any]:
    match error:
        case errors.FieldNotIndexed():
            return {"indexed_fields": list(error.indexed)}
        case errors.BadPicture():
            return {"reason": error.reason.value}
        case errors.CollectionBeingDeleted():
            return {"headers": {"Retry-After": _RETRY_AFTER_S}}
        case errors.StorageFull():
            _log.warning("storage_full", service_name=error.service, detail=error.detail)
            return {"headers": {"Retry-After": _RETRY_WHEN_FULL_AFTER_S}}
        case errors.Unavailable():
            _log.warning("service_unavailable", service_name=error.service, detail=error.detail)
            return {"headers": {"Retry-After": _RETRY_AFTER_S}}
        case _:
            return {}


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    faults = [
        {"location": ".".join(str(part) for part in fault["loc"]), "message": fault["msg"]}
        for fault in found[:_FAULTS_SHOWN]
    ]
    first = f"{faults[0]['location']}: {faults[0]['message']}." if faults else ""
    detail = f"The request has {len(found)} fault(s). {first}"
    return problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, "validation_failed", detail, errors=faults)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "_").replace("-", "_")
    headers, detail = error.headers, str(error.detail)
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        methods = ", ".join(sorted(_methods_at(request)))
        headers, detail = {"Allow": methods}, f"Only {methods} can be asked of {request.url.path}."
    elif status == HTTPStatus.NOT_FOUND and detail == status.phrase:
        detail = f"There is nothing at {request.url.path}. What there is, /docs describes."
    return problem(request, status, code, detail, headers=headers)


def _methods_at(request: Request) -> set[str]:
    """What may be done at this path; the router knows only what the first of its routes there does."""
    found: set[str] = set()
    for context in iter_route_contexts(request.app.routes):
        match, _ = context.original_route.matches(request.scope)
        if match is not Match.NONE:
            found |= context.methods or set()
    return found


def defect_answer(request: Request, error: Exception) -> JSONResponse:
    """The answer to a request that failed by a defect, which is logged."""
    _log.error("request_failed", path=request.url.path, exc_info=error)
    detail = "The server failed on this request. Its log has the details under the request id."
    return problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail)
