"""What both adapters refuse, in the same words."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from sightline.errors import BadRequest, FieldNotIndexed, SpaceMismatch
from sightline.index.filters import FIELD_PATTERN
from sightline.index.ranking import BestScore, Diverse, Nearest, Ranking
from sightline.index.values import LARGEST_STORED, SMALLEST_STORED
from sightline.payload import FieldType, Payload

MAX_METADATA_DEPTH = 32
_COLLECTION_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}(\.[a-z0-9]{1,32})?")
_COUNTABLE = (FieldType.KEYWORD, FieldType.INTEGER, FieldType.BOOL)
_FIXED_FIELDS = frozenset({"sha256", "space", "sources", "first_indexed"})


def check_collection(name: str, dimension: int, fields: Mapping[str, FieldType]) -> None:
    """Refuse (BadRequest) a collection that could not be made or searched."""
    if not _COLLECTION_NAME.fullmatch(name):
        raise BadRequest(
            f"'{name}' cannot name a collection: use up to 63 lower-case letters, digits, '-' and '_'."
        )
    if not 1 <= dimension <= 65_536:
        raise BadRequest(f"Collection '{name}' cannot have {dimension} dimensions.")
    for field in fields:
        if not re.fullmatch(FIELD_PATTERN, field):
            raise BadRequest(
                f"Field '{field}' cannot be indexed: use letters, digits, '-' and '_', joined by dots."
            )


def missing_fields(
    collection: str, held: Mapping[str, FieldType], wanted: Mapping[str, FieldType]
) -> dict[str, FieldType]:
    """The wanted fields that have no index yet; BadRequest if one has an index of another type."""
    for field, kind in wanted.items():
        if held.get(field, kind) != kind:
            raise BadRequest(
                f"Field '{field}' of collection '{collection}' is indexed as {held[field]}, not as {kind}. "
                f"Declare it as {held[field]}, or use another collection."
            )
    return {field: kind for field, kind in wanted.items() if field not in held}


def check_space(collection: str, held: str, offered: str) -> None:
    """Refuse (SpaceMismatch) vectors of another model."""
    if held != offered:
        raise SpaceMismatch(collection, held, offered)


def check_dimension(collection: str, held: int, offered: int) -> None:
    """Refuse (BadRequest) to use a collection with another dimension than it has."""
    if held != offered:
        raise BadRequest(f"Collection '{collection}' has {held} dimensions, not {offered}.")


def check_vector(collection: str, dimension: int, vector: NDArray[np.float32]) -> None:
    """Refuse (BadRequest) a vector of another shape, or one without a direction."""
    if vector.shape != (dimension,):
        raise BadRequest(
            f"Collection '{collection}' holds vectors of shape ({dimension},), not of {vector.shape}."
        )
    length = float(np.linalg.norm(vector))
    if not math.isfinite(length) or length == 0.0:
        raise BadRequest(f"A vector for collection '{collection}' has no direction: its length is {length}.")


def check_ranking(collection: str, dimension: int, ranking: Ranking) -> None:
    """Refuse (BadRequest) vectors of another shape, or without a direction, and nothing to be like."""
    match ranking:
        case Nearest(vector) | Diverse(vector):
            vectors: tuple[bytes, ...] = (vector,)
        case BestScore(positives, negatives):
            if not positives:
                raise BadRequest("A search for the best score needs something to be like.")
            vectors = (*positives, *negatives)
    for one in vectors:
        check_vector(collection, dimension, np.frombuffer(one, dtype="<f4"))


def check_limit(limit: int, offset: int = 0) -> None:
    """Refuse (BadRequest) a page that cannot be."""
    if limit < 1 or offset < 0:
        raise BadRequest(f"A page has at least 1 entry and starts at 0 or later, not {limit} at {offset}.")


def check_facet(field: str, indexed: Mapping[str, FieldType]) -> None:
    """Refuse (FieldNotIndexed, BadRequest) to count the values of a field that has no countable ones."""
    kind = indexed.get(field)
    if kind is None:
        raise FieldNotIndexed(field, tuple(indexed))
    if kind not in _COUNTABLE:
        raise BadRequest(
            f"Field '{field}' is of type {kind}, whose values are not counted. Ask for one of type "
            f"{', '.join(_COUNTABLE)}."
        )


def check_settable(values: Mapping[str, Any]) -> None:
    """Refuse (BadRequest) to change what a point is, or to set what no payload has."""
    for name, value in values.items():
        if name in _FIXED_FIELDS or name not in Payload.model_fields:
            raise BadRequest(f"'{name}' of a point cannot be set.")
        field_type: Any = Payload.model_fields[name].annotation
        try:
            # A value of another type would make the point unreadable.
            TypeAdapter(field_type).validate_python(value)
        except ValidationError as error:
            raise BadRequest(f"'{name}' of a point cannot be {ascii(value)[:60]}.") from error
    check_json(values, "payload")


def check_json(value: Any, where: str, depth: int = 0) -> None:
    """Refuse (BadRequest) values that an engine could not store and give back unchanged."""
    if depth > MAX_METADATA_DEPTH:
        raise BadRequest(f"'{where}' is nested deeper than {MAX_METADATA_DEPTH} levels.")
    match value:
        case None | bool():
            return
        case int():
            sound = SMALLEST_STORED <= value <= LARGEST_STORED
        case float():
            sound = math.isfinite(value)
        case str():
            sound = _is_unicode(value)
        case dict():
            sound = all(isinstance(name, str) for name in value)
            for name, inner in value.items():
                check_json(name, where, depth + 1)
                check_json(inner, f"{where}.{name}" if depth < 3 else where, depth + 1)
        case list() | tuple():
            sound = True
            for inner in value:
                check_json(inner, where, depth + 1)
        case _:
            sound = False
    if not sound:
        raise BadRequest(
            f"'{where}' holds {ascii(value)[:60]}, which JSON cannot carry or the index cannot keep."
        )


def _is_unicode(text: str) -> bool:
    """Whether `text` can be written in UTF-8: half of a surrogate pair cannot, and JSON can hold one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_point_id(text: str) -> bool:
    """Whether `text` is a point id: a UUID, written as Python and the engines write it."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def check_point_ids(ids: Sequence[str]) -> None:
    """Refuse (BadRequest) to make points under ids that are none."""
    for text in ids:
        if not is_point_id(text):
            raise BadRequest(f"'{text[:60]}' cannot be the id of a point: it is not a lower-case UUID.")


def known_ids(ids: Sequence[str]) -> list[str]:
    """Those of `ids` that could name a point; no other can exist."""
    return [text for text in ids if is_point_id(text)]
