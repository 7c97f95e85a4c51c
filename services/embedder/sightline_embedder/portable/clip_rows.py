"""What a row of clip-retrieval's metadata says: which picture it is of, and what is known of that."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadPicture, FailureReason
from sightline.file_uri import uri_of
from sightline.payload import FieldType
from sightline.queue.sources import PictureRef, Refusal, SourceKind
from sightline_embedder.portable.clip_files import REFERENCES
from sightline_embedder.portable.rows import RawPoint
from sightline_embedder.sources.manifests.places import ManifestPlace, Reference, folder_place
from sightline_embedder.sources.manifests.row_refs import RowRefs
from sightline_embedder.sources.manifests.rows import Row

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIZES = (("original_width", "original_height"), ("width", "height"))
_MAX_SIDE = 2**31
_NOTHING = np.empty(0, np.float32)


@dataclass(frozen=True)
class ClipRow:
    """A row that names a picture: `ref` is where it was, `file` where it may be read here, if anywhere.

    `sha256` and `size` (width and height in pixels) are what the metadata says of its bytes.
    """

    ref: PictureRef
    file: PictureRef | None
    sha256: str | None
    size: tuple[int | None, int | None]
    vector: NDArray[np.float32] = field(default_factory=lambda: _NOTHING)

    def with_vector(self, vector: NDArray[np.float32]) -> "ClipRow":
        """The row with its vector, which was checked."""
        return replace(self, vector=vector)


class ClipRows:
    """Reads rows of one table. Paths that are relative are so to the folder of the import."""

    def __init__(
        self, folder: Path, table: Path, roots: Sequence[Path], fields: Mapping[str, FieldType]
    ) -> None:
        """`fields` are the declared metadata fields: text in them is read as their types."""
        beside = folder_place(folder / table.name, roots)
        self._uri = uri_of(table)
        self._place = ManifestPlace(SourceKind.FOLDER, self._uri, beside.open, beside.resolve)
        self._fields = fields

    def row(self, number: int, raw: RawPoint) -> ClipRow:
        """The row; its `ref` is refused where it cannot be used."""
        nowhere = f"{self._uri}#row={number}"
        named = {name: raw.values[name] for name in REFERENCES if _is_text(raw.values.get(name))}
        if raw.fault is not None or not named:
            fault = raw.fault or f"names no picture in {', '.join(REFERENCES)}"
            refusal = Refusal(reason=FailureReason.BAD_POINT, detail=f"Row {number} {fault}.")
            return _row(PictureRef(kind=SourceKind.FOLDER, uri=nowhere, refused=refusal), raw.values)
        column = "url" if "url" in named else next(iter(named))
        ref = RowRefs(self._place, column, self._fields).ref(Row(number, str(number), raw.values))
        if ref.refused is not None:
            return _row(ref, raw.values)
        file = self._file(named)
        # A key, and a path that is relative to nobody knows what, say nothing about where the picture is.
        if ref.kind is SourceKind.FOLDER and not named[column].startswith(("/", "file:///")):
            ref = ref.model_copy(update={"uri": nowhere})
        return _row(ref, raw.values, file)

    def _file(self, named: Mapping[str, str]) -> PictureRef | None:
        if "image_path" not in named:
            return None
        try:
            found: Reference = self._place.resolve(named["image_path"])
        except BadPicture:
            return None
        return PictureRef(kind=found.kind, uri=found.uri) if found.kind is SourceKind.FOLDER else None


def _row(ref: PictureRef, values: Mapping[str, Any], file: PictureRef | None = None) -> ClipRow:
    said = values.get("sha256")
    sha256 = said if isinstance(said, str) and _SHA256.fullmatch(said) else None
    sizes = (tuple(_side(values.get(name)) for name in names) for names in _SIZES)
    width, height = next((size for size in sizes if None not in size), (None, None))
    return ClipRow(ref, file, sha256, (width, height))


def _side(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_SIDE else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
