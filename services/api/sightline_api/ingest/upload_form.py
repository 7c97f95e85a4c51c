"""The fields that come with an upload beside its files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError

from sightline.payload import MAX_TAG_CHARACTERS, MAX_TAGS
from sightline_api.http.problems import ApiError
from sightline_api.ingest.models import MAX_INGEST_VALUES, OnDuplicate
from sightline_api.ingest.picture_details import Metadata, Tags

MAX_METADATA_FIELD_BYTES = 4 << 20
FIELD_TIMES_AND_BYTES = {
    "tags": (MAX_TAGS, MAX_TAG_CHARACTERS * 4),
    "metadata": (1, MAX_METADATA_FIELD_BYTES),
    "on_duplicate": (1, 16),
}
"""How often each field may come, and how large it may be, so that a form has a limit in memory."""

OPENAPI_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "title": "Upload",
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "contentMediaType": "application/octet-stream"},
                            "description": "the pictures; stored as they come",
                        },
                        "tags": {
                            "type": "array",
                            "items": {"type": "string", "minLength": 1, "maxLength": MAX_TAG_CHARACTERS},
                            "maxItems": MAX_TAGS,
                            "description": "for every picture; the field is repeated",
                        },
                        "metadata": {
                            "type": "string",
                            "description": "a JSON object, or a list of one per file",
                        },
                        "on_duplicate": {
                            "type": "string",
                            "enum": ["skip", "update"],
                            "default": "skip",
                            "description": "`update` gives pictures indexed before these tags and metadata",
                        },
                    },
                },
                "encoding": {"tags": {"style": "form", "explode": True}},
                "examples": {
                    "plain": {"summary": "a picture", "value": {"files": ["coffee.png"]}},
                    "described": {
                        "summary": "two pictures with tags, each with metadata of its own",
                        "value": {
                            "files": ["coffee.png", "rocket.jpg"],
                            "tags": ["holiday", "beach"],
                            "metadata": '[{"sku": "A-17"}, {"sku": "B-4"}]',
                            "on_duplicate": "update",
                        },
                    },
                },
            }
        },
    }
}

_METADATA: TypeAdapter[dict[str, Any]] = TypeAdapter(Metadata)


class _Fields(BaseModel):
    tags: Tags = []
    on_duplicate: OnDuplicate = "skip"


@dataclass(frozen=True)
class UploadForm:
    """What an upload says about its pictures; `metadata` has one object per file."""

    tags: tuple[str, ...]
    on_duplicate: OnDuplicate
    metadata: Sequence[dict[str, Any]]


def parse_form(fields: Mapping[str, Sequence[str]], files: int) -> UploadForm:
    """The form of an upload of that many files, from its fields as they came.

    Raises RequestValidationError, and ApiError (422) for metadata.
    """
    metadata = _metadata_per_file(fields["metadata"][0] if "metadata" in fields else "{}", files)
    values: dict[str, Any] = {"tags": fields.get("tags", ())}
    if "on_duplicate" in fields:
        values["on_duplicate"] = fields["on_duplicate"][0]
    try:
        checked = _Fields.model_validate(values)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)]
        raise RequestValidationError(faults) from error
    return UploadForm(tuple(checked.tags), checked.on_duplicate, metadata)


def _metadata_per_file(text: str, files: int) -> list[dict[str, Any]]:
    # Before it is read, in the time of everybody: each is a few bytes here, and a hundred times as much then.
    if text.count(",") + text.count(":") > MAX_INGEST_VALUES:
        raise _bad_metadata(f"has more than {MAX_INGEST_VALUES:,} values and names")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad_metadata(f"is not JSON ({error})") from error
    if isinstance(value, dict):
        return [_checked(value)] * files
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _bad_metadata("is neither an object nor a list of objects")
    if len(value) != files:
        raise _bad_metadata(f"has {len(value)} objects for {files} files")
    return [_checked(one) for one in value]


def _checked(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        return _METADATA.validate_python(metadata)
    except ValidationError as error:
        raise _bad_metadata(f"cannot be kept: {error.errors()[0]['msg']}") from error


def _bad_metadata(fault: str) -> ApiError:
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_metadata", f"Form field metadata {fault}.")
