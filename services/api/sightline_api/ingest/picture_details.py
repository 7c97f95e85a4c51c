"""What people say about pictures, tags and metadata, and how much of it."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from sightline.errors import BadRequest
from sightline.index.checks import check_json
from sightline.payload import MAX_METADATA_BYTES, MAX_TAG_CHARACTERS, MAX_TAGS


def _check_tag(tag: str) -> str:
    return str(storable(tag, "tags"))


def _check_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    storable(metadata, "metadata")
    size = len(json.dumps(metadata, ensure_ascii=False).encode())
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"a picture's metadata has {size} bytes as JSON; the limit is {MAX_METADATA_BYTES}")
    return metadata


def storable(value: Any, where: str) -> Any:
    """A JSON value, unless it could not be recorded or indexed later, when a whole batch would fail with it.

    Raises ValueError.
    """
    try:
        check_json(value, where)
    except BadRequest as error:
        raise ValueError(str(error)) from error
    return value


Tag = Annotated[str, Field(min_length=1, max_length=MAX_TAG_CHARACTERS), AfterValidator(_check_tag)]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS)]
Metadata = Annotated[dict[str, Any], AfterValidator(_check_metadata)]
