"""The points of a folder that clip-retrieval wrote: img_emb/img_emb_N.npy with metadata/metadata_N.parquet.

Nothing in it says which model made the vectors, nor what the pictures' bytes are. So whoever imports names
the model, and where a picture can be read here it is: its bytes give the point its id, as those of any other
picture, and a sample of such pictures is encoded and compared with what the folder says.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from sightline.encoder import Encoder
from sightline.errors import BadPicture
from sightline.file_uri import uri_of
from sightline.index import CollectionSpec, Point
from sightline.payload import FieldType, indexed_fields
from sightline.portable.places import CLIP_FILE
from sightline.queue.sources import PictureRef
from sightline.roots import within_roots
from sightline_embedder.errors import SourceError
from sightline_embedder.portable.checks import vector_in
from sightline_embedder.portable.clip_pictures import ClipPictures, Found
from sightline_embedder.portable.clip_rows import ClipRow, ClipRows
from sightline_embedder.portable.export_reader import OpenFile
from sightline_embedder.portable.pages import PointsPage
from sightline_embedder.portable.reading import read_points
from sightline_embedder.portable.rows import RawPoint, damaged
from sightline_embedder.sources.file_faults import faults_of

SAME_MODEL_COSINE = 0.9
"""Least median cosine of a sample with our own vectors. Other decoders, resizers and half precision stay
above 0.95; vectors of another model of the same dimension are near 0."""
_FIRST_SAMPLE, _LATER_SAMPLE = 16, 2
_NUMBER = re.compile(r"_([0-9]+)\.")


class ClipReader:
    """See PointsReader."""

    def __init__(
        self,
        folder: Path,
        roots: Sequence[Path],
        open_file: OpenFile,
        encoder: Encoder,
        declared: str | None,
        pictures: ClipPictures,
        fields: dict[str, FieldType],
    ) -> None:
        """`declared` is the name or the space of the model that is said to have made the vectors.

        `fields` are the declared metadata fields.
        """
        self._folder = folder
        self._roots = roots
        self._open = open_file
        self._encoder = encoder
        self._declared = declared
        self._pictures = pictures
        self._fields = fields

    def spec(self, collection: str) -> CollectionSpec:
        """See PointsReader."""
        manifest = self._encoder.manifest
        if self._declared not in (manifest.name, manifest.space):
            raise SourceError(
                "space_mismatch",
                f"The vectors are said to be of '{self._declared}', and the model in use here is "
                f"'{manifest.name}', of space {manifest.space}. Import them where that model is in use.",
            )
        return CollectionSpec(collection, manifest.space, manifest.dimension, indexed_fields(self._fields))

    def pages(self, after: str | None) -> Generator[PointsPage, None, None]:
        """See PointsReader."""
        first, _, row = (after or "0.0").partition(".")
        begin = int(row)
        for number, (vectors, table) in self._pairs().items():
            if number < int(first):
                continue
            with faults_of(uri_of(table), "import_unreadable"):
                yield from self._pages_of(number, vectors, table, begin if number == int(first) else 0)

    def _pages_of(self, number: int, vectors: Path, table: Path, begin: int) -> Iterator[PointsPage]:
        rows = ClipRows(self._folder, table, self._roots, self._fields)
        dimension = self._encoder.manifest.dimension
        with closing(self._open(vectors)) as vectors_file, closing(self._open(table)) as table_file:
            for raw in read_points(vectors_file, table_file, dimension=dimension, after=begin):
                sample = _LATER_SAMPLE if begin else _FIRST_SAMPLE
                page = self._page(rows, raw, begin, f"{number}.{begin + len(raw)}", sample)
                begin += len(raw)
                yield page

    def _page(
        self, rows: ClipRows, raw: Sequence[RawPoint], begin: int, cursor: str, sample: int
    ) -> PointsPage:
        sound: list[ClipRow] = []
        failed: list[tuple[PictureRef, BadPicture]] = []
        for number, one in enumerate(raw, begin + 1):
            row = rows.row(number, one)
            try:
                if row.ref.refused is not None:
                    raise BadPicture(row.ref.refused.reason, row.ref.refused.detail)
                sound.append(row.with_vector(vector_in(one, self._encoder.manifest.dimension)))
            except BadPicture as error:
                failed.append((row.ref, error))
        points: list[Point] = []
        thumbnails: dict[str, bytes] = {}
        sampled: list[Found] = []
        for found in self._pictures.found(sound):
            if isinstance(found.point, BadPicture):
                failed.append((found.row.ref, found.point))
                continue
            if found.decoded is not None and len(sampled) < sample:
                sampled.append(found)
            points.append(found.point)
            if found.decoded is not None and found.decoded.thumbnail is not None:
                thumbnails[found.point.id] = found.decoded.thumbnail
        self._check(sampled)
        return PointsPage(cursor, points, thumbnails, failed)

    def _check(self, sampled: Sequence[Found]) -> None:
        """Raise SourceError where our own vectors of these pictures are not what the folder says they are."""
        views = [one.decoded.views for one in sampled if one.decoded is not None]
        if not views:
            return
        ours = self._encoder.encode_views(np.stack(views))
        theirs = np.stack([one.row.vector for one in sampled])
        cosine = float(np.median(np.sum(ours * theirs, axis=1)))
        if cosine < SAME_MODEL_COSINE:
            raise SourceError(
                "space_mismatch",
                f"The vectors are not of {self._encoder.manifest.name}: {len(views)} pictures were encoded "
                f"here, and the median cosine with their vectors is {cosine:.3f}, not {SAME_MODEL_COSINE} or "
                f"more.",
            )

    def _pairs(self) -> dict[int, tuple[Path, Path]]:
        """Files of vectors and of metadata by their number, in its order."""
        vectors, tables = self._named("img_emb", ".npy"), self._named("metadata", ".parquet")
        if not vectors:
            raise SourceError("file_not_found", f"There is no img_emb/img_emb_0.npy in {self._folder}.")
        if vectors.keys() != tables.keys():
            odd = min(vectors.keys() ^ tables.keys())
            raise damaged(f"Of img_emb_{odd}.npy and metadata_{odd}.parquet there is only one.")
        return {number: (vectors[number], tables[number]) for number in sorted(vectors)}

    def _named(self, kind: str, suffix: str) -> dict[int, Path]:
        below = self._folder / kind
        folder = below if below.is_dir() else self._folder
        if not within_roots(folder, self._roots):
            raise SourceError(
                "path_not_allowed", f"Folder {folder} is not inside any of SIGHTLINE_IMPORT_ROOTS."
            )
        with faults_of(uri_of(folder), "import_unreadable"):
            names = [path for path in folder.iterdir() if CLIP_FILE.fullmatch(path.name)]
        mine = [path for path in names if path.name.startswith(kind) and path.suffix == suffix]
        return {int(found[1]): path for path in mine if (found := _NUMBER.search(path.name))}
