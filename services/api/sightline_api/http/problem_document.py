"""The form of every error: a problem document (RFC 9457)."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What is wrong with a request or with the service. Some codes add fields of their own."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:sightline:problem:job_not_found",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "There is no job 01a20870d3c5596ca929871e.",
                    "code": "job_not_found",
                    "request_id": "4a2a15f2f3a14d0d9e9c1d0a7f6b2f11",
                }
            ]
        },
    )

    type: Annotated[str, Field(description="a URN that ends in the code")]
    title: Annotated[str, Field(description="the status in words")]
    status: Annotated[int, Field(ge=400, le=599)]
    detail: Annotated[str, Field(description="for people: what happened, to what, what to do; may change")]
    code: Annotated[str, Field(description="for programs; stable")]
    request_id: Annotated[str, Field(description="as in the header `X-Request-Id`")]


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Any error, as a problem document.",
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    }
}
"""What every route answers beside what it documents itself."""
