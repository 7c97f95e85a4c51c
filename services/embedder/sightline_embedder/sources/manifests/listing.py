"""Manifests as a source."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from sightline.payload import FieldType
from sightline_embedder.errors import SourceError
from sightline_embedder.sources import Listed
from sightline_embedder.sources.file_faults import faults_of
from sightline_embedder.sources.manifests.formats import reader_of
from sightline_embedder.sources.manifests.places import ManifestPlace
from sightline_embedder.sources.manifests.row_refs import RowRefs

_FINGERPRINT_BYTES = 64 << 10


class ManifestListing:
    """The pictures that a manifest names in one column; the other columns are their metadata.

    A column `tags` holds tags: a list, or text with commas between them. Rows that name no picture are
    listed as refused. The cursor is a place in the file, with a fingerprint of the file.
    """

    def __init__(self, place: ManifestPlace, *, image_column: str, fields: Mapping[str, FieldType]) -> None:
        """`fields` are the declared metadata fields: text in them is read as their types."""
        self._place = place
        self._image_column = image_column
        self._row_refs = RowRefs(place, image_column, fields)

    def list(self, after: str | None) -> Iterator[Listed]:
        """See Source. Rows before a damage are listed before SourceError is raised.

        Its codes beside those of the place: `manifest_empty`, `manifest_unsupported`, `manifest_encoding`,
        `manifest_damaged`, `manifest_column_missing`, `manifest_column_unusable`, `manifest_unreadable` and,
        when it is not the one that the cursor is of, `manifest_changed`.
        """
        with self._place.open() as file, faults_of(self._place.uri, "manifest_unreadable"):
            yield from self._listed(file, after)

    def _listed(self, file: BinaryIO, after: str | None) -> Iterator[Listed]:
        fingerprint = _fingerprint(file)
        expected, _, position = (after or f"{fingerprint}-").partition("-")
        if expected != fingerprint:
            raise SourceError("manifest_changed", "It changed while it was listed. Ingest it anew.")
        read_rows = reader_of(file, self._place.uri)
        for row in read_rows(file, self._image_column, position or None):
            yield Listed(self._row_refs.ref(row), cursor=f"{fingerprint}-{row.position}")


def _fingerprint(file: BinaryIO) -> str:
    size = file.seek(0, os.SEEK_END)
    digest = hashlib.sha256(str(size).encode())
    for start in (0, max(0, size - _FINGERPRINT_BYTES)):
        file.seek(start)
        digest.update(file.read(_FINGERPRINT_BYTES))
    return digest.hexdigest()[:16]
