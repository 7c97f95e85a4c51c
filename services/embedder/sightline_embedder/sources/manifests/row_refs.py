"""From a row to the picture it names and what it says about it."""

import json
from collections.abc import Mapping
from typing import Any

from sightline.errors import BadPicture, BadRequest, FailureReason
from sightline.index.checks import check_json
from sightline.payload import MAX_METADATA_BYTES, MAX_TAG_CHARACTERS, MAX_TAGS, FieldType
from sightline.queue.sources import PictureRef, Refusal
from sightline_embedder.sources.manifests.cells import declared, json_value
from sightline_embedder.sources.manifests.places import ManifestPlace, Reference
from sightline_embedder.sources.manifests.rows import Row

_TAGS = "tags"
_PAYLOAD_DEPTH = 1
"""Metadata is checked as deep as it lies in a point's payload."""


class RowRefs:
    """Makes references of rows. `fields` are the declared metadata fields: text in them is read as them."""

    def __init__(self, place: ManifestPlace, image_column: str, fields: Mapping[str, FieldType]) -> None:
        self._place = place
        self._image_column = image_column
        self._fields = fields

    def ref(self, row: Row) -> PictureRef:
        """The picture, refused where the row names none or says what cannot be kept."""
        reference = Reference(self._place.kind, f"{self._place.uri}#row={row.number}")
        try:
            reference = self._reference(row)
            others = {name: value for name, value in row.values.items() if name != self._image_column}
            tags = _tags(others.pop(_TAGS, None))
            metadata = self._metadata(others)
        except BadPicture as error:
            refusal = Refusal(reason=error.reason, detail=f"Row {row.number} {error.detail}")
            return PictureRef(kind=reference.kind, uri=reference.uri, refused=refusal)
        return PictureRef(kind=reference.kind, uri=reference.uri, tags=tags, metadata=metadata)

    def _reference(self, row: Row) -> Reference:
        if row.fault is not None:
            raise BadPicture(FailureReason.BAD_METADATA, f"{row.fault}.")
        text = row.values.get(self._image_column)
        if not isinstance(text, str) or not text.strip():
            raise BadPicture(FailureReason.NOT_FOUND, f"names no picture in column '{self._image_column}'.")
        try:
            return self._place.resolve(text)
        except BadPicture as error:
            raise BadPicture(error.reason, f"cannot be used. {error.detail}") from error

    def _metadata(self, values: Mapping[str, Any]) -> dict[str, Any]:
        try:
            cells = {name: value for name, value in json_value(values).items() if value is not None}
            metadata = {name: declared(value, self._fields, name) for name, value in cells.items()}
            check_json(metadata, "metadata", _PAYLOAD_DEPTH)
        except (BadRequest, RecursionError) as error:
            raise BadPicture(FailureReason.BAD_METADATA, f"cannot be metadata: {error}") from error
        size = len(json.dumps(metadata, ensure_ascii=False).encode())
        if size > MAX_METADATA_BYTES:
            raise BadPicture(
                FailureReason.BAD_METADATA,
                f"has {size} bytes of metadata as JSON; the limit is {MAX_METADATA_BYTES}.",
            )
        return metadata


def _tags(value: Any) -> tuple[str, ...]:
    match value:
        case None:
            parts = []
        case str():
            parts = value.split(",")
        case list():
            parts = [str(part) for part in value if part is not None]
        case _:
            parts = [str(value)]
    tags = tuple(dict.fromkeys(tag for part in parts if (tag := str(json_value(part)).strip())))
    if len(tags) > MAX_TAGS or any(len(tag) > MAX_TAG_CHARACTERS for tag in tags):
        raise BadPicture(
            FailureReason.BAD_METADATA,
            f"has {len(tags)} tags; a picture may have {MAX_TAGS} of up to {MAX_TAG_CHARACTERS} characters.",
        )
    return tags
