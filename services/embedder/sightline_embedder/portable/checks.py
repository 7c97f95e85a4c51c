"""What of a row from elsewhere becomes a point: everything in it is checked, for anybody may have made it."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sightline.errors import BadPicture, BadRequest, FailureReason
from sightline.file_uri import is_file_uri
from sightline.identity import point_id, source_key, unread_point_id
from sightline.index import Point
from sightline.index.checks import check_json
from sightline.payload import MAX_METADATA_BYTES, MAX_TAG_CHARACTERS, MAX_TAGS, Payload
from sightline.queue.sources import SourceKind
from sightline_embedder.portable.rows import RawPoint

MAX_SOURCES = 100_000
"""A placeholder of a catalogue is the picture of many addresses."""
MAX_THUMBNAIL_BYTES = 1 << 20
_MAX_TEXT = 256
_MAX_URI = 12_400
"""A path of 4,096 bytes, each of them written as three characters."""
_MAX_SOURCES_BYTES = 24 << 20
# What is said of a whole job comes on top of what is said of its pictures, each with the limit of its own.
_MOST_TAGS = 2 * MAX_TAGS
_MOST_METADATA_BYTES = 2 * MAX_METADATA_BYTES
_MAX_MORE = 16 << 10
_MAX_PIXELS = 2**31
_LENGTH_TOLERANCE = 1e-3
_PAYLOAD_DEPTH = 1
_KINDS = frozenset(kind.value for kind in SourceKind)
_HEX = frozenset("0123456789abcdef")
_PLAIN = (
    *("sha256", "space", "model", "numerics", "format", "width", "height", "bytes"),
    *("taken_at", "camera", "perceptual_hash", "indexed_at", "sort_at"),
)


def vector_in(raw: RawPoint, dimension: int) -> NDArray[np.float32]:
    """The row's vector, float32 of shape (dimension,) and length 1; raises BadPicture (`bad_vector`)."""
    if raw.vector is None or len(raw.vector) != dimension * 4:
        raise BadPicture(FailureReason.BAD_VECTOR, f"has no vector of {dimension} numbers.")
    vector = np.frombuffer(raw.vector, dtype="<f4")
    exact = vector.astype(np.float64)
    length = math.sqrt(np.dot(exact, exact))
    if not math.isfinite(length) or abs(length - 1) > _LENGTH_TOLERANCE:
        raise BadPicture(FailureReason.BAD_VECTOR, f"has a vector of length {length:.6g}, which is not 1.")
    return vector


def point_in(raw: RawPoint, space: str, dimension: int) -> Point:
    """The point of a row of an export.

    Raises BadPicture: `bad_vector`, `bad_metadata` for metadata and tags over their limits, and `bad_point`
    for all else that no point of this space can have: its id must follow from its content.
    """
    if raw.fault is not None:
        raise BadPicture(FailureReason.BAD_POINT, f"{raw.fault}.")
    payload = _payload(raw.values)
    if payload.space != space:
        raise _bad(f"is of space {payload.space[:_MAX_TEXT]!r}, and its export is of {space!r}")
    _check_facts(payload)
    _check_described(payload)
    _check_sources(payload)
    if raw.values.get("id") not in _ids_of(payload):
        raise _bad("has an id that does not follow from its content")
    return Point(raw.values["id"], vector_in(raw, dimension), payload)


def thumbnail_in(raw: RawPoint) -> bytes | None:
    """The row's thumbnail, if it is a WebP of a size that one can have."""
    data = raw.values.get("thumbnail")
    if not isinstance(data, bytes) or len(data) > MAX_THUMBNAIL_BYTES:
        return None
    return data if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def uri_in(raw: RawPoint) -> str | None:
    """Where the picture of a row that cannot be used was found, as far as the row says it."""
    try:
        sources = json.loads(raw.values.get("sources") or "{}")
        uri = next(iter(sources.values()))["uri"]
    except (ValueError, RecursionError, TypeError, AttributeError, KeyError, StopIteration):
        return None
    return uri[:_MAX_URI] if isinstance(uri, str) and uri.isprintable() else None


def _payload(values: Mapping[str, Any]) -> Payload:
    latitude, longitude = values.get("latitude"), values.get("longitude")
    try:
        more = _parsed(values, "more", _MAX_MORE)
        return Payload.model_validate(
            {name: value for name, value in more.items() if name in Payload.model_fields}
            | {name: values.get(name) for name in _PLAIN}
            | {
                "tags": values.get("tags") or (),
                "auto_tags": values.get("auto_tags") or (),
                "location": None if latitude is None else {"lat": latitude, "lon": longitude},
                "metadata": _parsed(values, "metadata", _MOST_METADATA_BYTES),
                "sources": _parsed(values, "sources", _MAX_SOURCES_BYTES),
                "first_indexed": _parsed(values, "first_indexed", _MAX_URI),
            }
        )
    except AttributeError as error:
        raise _bad("has more to say, and that is no JSON object") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise _bad(f"has no sound {'.'.join(map(str, first['loc']))[:_MAX_TEXT]}: {first['msg']}") from error


def _parsed(values: Mapping[str, Any], name: str, limit: int) -> Any:
    text = values.get(name) or "{}"
    if not isinstance(text, str) or len(text.encode(errors="replace")) > limit:
        reason = FailureReason.BAD_METADATA if name == "metadata" else FailureReason.BAD_POINT
        raise BadPicture(reason, f"has more than {limit} bytes of {name}.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad(f"has {name} that is no JSON") from error


def _check_facts(payload: Payload) -> None:
    texts = (payload.model, payload.numerics, payload.format, payload.camera or "", payload.first_indexed.job)
    if any(len(text) > _MAX_TEXT for text in texts):
        raise _bad(f"says more than {_MAX_TEXT} characters in one of its facts")
    sides = (payload.width, payload.height)
    if any(side is not None and not 0 < side < _MAX_PIXELS for side in sides) or (payload.bytes or 0) < 0:
        raise _bad("has a size that no picture has")
    for moment in (payload.indexed_at, payload.sort_at, payload.taken_at):
        if moment is not None and not _orders(moment):
            raise _bad("has times without a zone, or beyond the calendar")
    for digits, lengths in ((payload.sha256, {64}), (payload.perceptual_hash, {64})):
        if digits is not None and not (len(digits) in lengths and _HEX.issuperset(digits)):
            raise _bad("has a hash that is none")


def _orders(moment: datetime) -> bool:
    """Whether pictures can be put in order by this time: it is one in UTC, and has a next one."""
    try:
        return moment.tzinfo is not None and moment.astimezone(UTC).replace(tzinfo=None) < datetime.max
    except OverflowError:
        return False


def _check_described(payload: Payload) -> None:
    for tags in (payload.tags, payload.auto_tags):
        if len(tags) > _MOST_TAGS or any(not 0 < len(tag) <= MAX_TAG_CHARACTERS for tag in tags):
            raise BadPicture(
                FailureReason.BAD_METADATA,
                f"has {len(tags)} tags; a picture may have {_MOST_TAGS} of up to {MAX_TAG_CHARACTERS} "
                f"characters.",
            )
    try:
        check_json(payload.metadata, "metadata", _PAYLOAD_DEPTH)
        check_json([*payload.tags, *payload.auto_tags, payload.camera], "tags", _PAYLOAD_DEPTH)
    except (BadRequest, RecursionError) as error:
        raise BadPicture(FailureReason.BAD_METADATA, f"cannot be kept: {error}") from error


def _check_sources(payload: Payload) -> None:
    if not 0 < len(payload.sources) <= MAX_SOURCES:
        raise _bad(f"has {len(payload.sources)} sources; a picture has between 1 and {MAX_SOURCES}")
    for key, source in payload.sources.items():
        if source.kind not in _KINDS or len(source.uri) > _MAX_URI:
            raise _bad("has a source of no known kind, or with a longer address than there are")
        if source.kind == SourceKind.FOLDER and not is_file_uri(source.uri):
            raise _bad("has a source in a folder that no file can be")
        try:
            fits = source_key(source.uri) == key
        except UnicodeEncodeError:  # half of a surrogate pair
            fits = False
        if not fits:
            raise _bad("has a source under a key that is not its own")


def _ids_of(payload: Payload) -> set[str]:
    if payload.sha256 is not None:
        return {point_id(payload.sha256)}
    return {unread_point_id(source.uri) for source in payload.sources.values()}


def _bad(fault: str) -> BadPicture:
    return BadPicture(FailureReason.BAD_POINT, f"{fault}.")
