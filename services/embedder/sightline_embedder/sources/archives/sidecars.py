"""Sidecars: the files beside a picture that say something about it, as in WebDataset shards."""

import json
import re
from typing import Any

from sightline.errors import BadRequest
from sightline.index.checks import check_json

SIDECAR_BYTES = 64 << 10
"""Larger ones are not read: what they say goes through the queue and into the index."""
_PAYLOAD_DEPTH = 1
"""Metadata is checked as deep as it lies in a point's payload."""
_INTEGER = re.compile("-?[0-9]{1,18}")


class BadSidecar(Exception):
    """A sidecar that says nothing usable; `str()` completes 'Member x …'."""


def metadata_of(extension: str, data: bytes) -> dict[str, Any]:
    """What a `json`, `txt` or `cls` file says; raises BadSidecar.

    A JSON object is metadata as it stands, a text is the `caption`, and a class the `cls`: a number where
    it is one.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadSidecar(f"is not UTF-8 text ({error.reason} at byte {error.start})") from error
    metadata: dict[str, Any]
    match extension:
        case "json":
            metadata = _parsed(text)
        case "txt":
            metadata = {"caption": text.strip()}
        case _:
            label = text.strip()
            metadata = {"cls": int(label) if _INTEGER.fullmatch(label) else label}
    try:
        check_json(metadata, "metadata", _PAYLOAD_DEPTH)
    except BadRequest as error:
        raise BadSidecar(f"cannot be metadata: {error}") from error
    return metadata


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadSidecar(f"is not JSON that can be read ({error})") from error
    if not isinstance(value, dict):
        raise BadSidecar("is not a JSON object")
    return value
