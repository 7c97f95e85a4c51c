"""The points of an export, wherever its folder is."""

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from sightline.encoder.artifact import Manifest
from sightline.errors import BadPicture, BadRequest
from sightline.file_uri import uri_of
from sightline.index import CollectionSpec, Point
from sightline.payload import FieldType
from sightline.portable.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    ExportManifest,
    PointsFile,
    parse_manifest,
)
from sightline.queue.sources import PictureRef, SourceKind
from sightline.settings import Precision
from sightline_embedder.errors import SourceError
from sightline_embedder.portable.checks import point_in, thumbnail_in, uri_in
from sightline_embedder.portable.pages import PointsPage
from sightline_embedder.portable.reading import read_points
from sightline_embedder.portable.rows import RawPoint, damaged
from sightline_embedder.sources.file_faults import faults_of

_READ_BYTES = 1 << 20

OpenFile = Callable[[Path], BinaryIO]
"""Opens a file for reading; raises SourceError for one that may not be read, or is not there."""


class ExportReader:
    """See PointsReader. Every file is compared with its SHA-256 before the first of its points is taken."""

    def __init__(
        self, folder: Path, open_file: OpenFile, model: Manifest, fields: dict[str, FieldType]
    ) -> None:
        """`model` is the one in use here; `fields` are those that every collection has."""
        self._folder = folder
        self._open = open_file
        self._model = model
        self._fields = fields
        self._held: ExportManifest | None = None

    def spec(self, collection: str) -> CollectionSpec:
        """See PointsReader."""
        manifest = self._manifest()
        if (manifest.space, manifest.dimension) != (self._model.space, self._model.dimension):
            raise SourceError(
                "space_mismatch",
                f"The export holds vectors of space {manifest.space}, and the model in use here, "
                f"{self._model.name}, makes vectors of space {self._model.space}. Import it where that model "
                f"is in use, or index the pictures anew.",
            )
        fields = {**manifest.fields, **self._fields}
        # What the model here was not judged fit for, no part could encode or search with.
        fit = manifest.precision in (*self._model.precisions, Precision.AUTO)
        return CollectionSpec(
            collection,
            manifest.space,
            manifest.dimension,
            fields,
            manifest.quantization,
            manifest.precision if fit else None,
        )

    def pages(self, after: str | None) -> Generator[PointsPage, None, None]:
        """See PointsReader."""
        number, _, row = (after or "0.0").partition(".")
        manifest, begin = self._manifest(), int(row)
        for place, about in enumerate(manifest.files[int(number) :], int(number)):
            path = self._folder / about.name
            with faults_of(uri_of(path), "import_unreadable"), closing(self._open(path)) as file:
                _check_file(file, about)
                yield from self._pages_of(file, path, place, begin, manifest)
            begin = 0

    def _pages_of(
        self, file: BinaryIO, path: Path, number: int, begin: int, manifest: ExportManifest
    ) -> Iterator[PointsPage]:
        row = begin
        for raw in read_points(file, None, dimension=manifest.dimension, after=begin):
            page = _page(raw, uri_of(path), row, f"{number}.{row + len(raw)}", manifest)
            row += len(raw)
            yield page
        if row != manifest.files[number].points:
            raise damaged(
                f"{path.name} holds {row} points, and the export says {manifest.files[number].points}."
            )

    def _manifest(self) -> ExportManifest:
        if self._held is None:
            path = self._folder / MANIFEST
            try:
                with faults_of(uri_of(path), "import_unreadable"), closing(self._open(path)) as file:
                    self._held = parse_manifest(file.read(MAX_MANIFEST_BYTES + 1)[:MAX_MANIFEST_BYTES])
            except BadRequest as error:
                raise damaged(str(error)) from error
        return self._held


def _page(
    rows: Sequence[RawPoint], uri: str, begin: int, cursor: str, manifest: ExportManifest
) -> PointsPage:
    points: list[Point] = []
    thumbnails: dict[str, bytes] = {}
    failed: list[tuple[PictureRef, BadPicture]] = []
    for number, raw in enumerate(rows, begin + 1):
        try:
            point = point_in(raw, manifest.space, manifest.dimension)
        except BadPicture as error:
            ref = PictureRef(kind=SourceKind.FOLDER, uri=uri_in(raw) or f"{uri}#row={number}")
            failed.append((ref, BadPicture(error.reason, f"Row {number} {error.detail}")))
            continue
        points.append(point)
        if (thumbnail := thumbnail_in(raw)) is not None:
            thumbnails[point.id] = thumbnail
    return PointsPage(cursor, points, thumbnails, failed)


def _check_file(file: BinaryIO, about: PointsFile) -> None:
    digest, size = hashlib.sha256(), 0
    while piece := file.read(_READ_BYTES):
        digest.update(piece)
        size += len(piece)
    if (size, digest.hexdigest()) != (about.bytes, about.sha256):
        raise damaged(f"{about.name} is not the file that was exported (its SHA-256 differs).")
    file.seek(0)
