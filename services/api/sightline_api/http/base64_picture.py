"""Pictures inside of JSON."""

import base64
import binascii
import hashlib
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema


def _decode(value: Any) -> Any:
    """Bytes of standard base64, with or without a `data:` prefix; bytes stay as they are."""
    if not isinstance(value, str):
        return value
    body = value.partition(",")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error


Base64Picture = Annotated[
    bytes,
    BeforeValidator(_decode),
    # Dumped only to tell one request from another.
    PlainSerializer(lambda data: hashlib.sha256(data).hexdigest(), return_type=str),
    WithJsonSchema({"type": "string", "format": "byte", "description": "base64, or a data: URL"}),
]
"""A picture's bytes; in JSON a string."""
