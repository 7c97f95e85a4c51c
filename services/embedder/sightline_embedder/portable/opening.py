"""From what an import names to the reader of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.encoder.registry import ModelRegistry
from sightline.errors import CollectionNotFound, ModelError
from sightline.index import VectorIndex
from sightline.payload import FieldType, indexed_fields
from sightline.portable.places import PortablePlaces
from sightline.queue.jobs import Job
from sightline.queue.sources import PointsFormat, PointsSource
from sightline_embedder.embedding import EmbeddingModel
from sightline_embedder.errors import SourceError
from sightline_embedder.portable.clip_pictures import ClipPictures
from sightline_embedder.portable.clip_reader import ClipReader
from sightline_embedder.portable.export_reader import ExportReader
from sightline_embedder.portable.pages import PointsReader
from sightline_embedder.reading import PictureReader
from sightline_embedder.sources.local_file import open_local_file


@dataclass(frozen=True)
class CollectionEncoders:
    """The models of collections: each its own, and of one that is not there yet that of new ones."""

    index: VectorIndex
    models: ModelRegistry[EmbeddingModel]

    def __call__(self, collection: str) -> Encoder:
        """Raises SourceError (`model_missing`) where the model of a collection is not here."""
        try:
            info = self.index.collection(collection, counted=False)
        except CollectionNotFound:
            return self.models.of_new_collections.encoder
        try:
            return self.models.get(info.space, info.precision).encoder
        except ModelError as error:
            raise SourceError("model_missing", str(error)) from error


@dataclass(frozen=True)
class PointsOpener:
    """Opens the files of imports, each with what it may reach."""

    index: VectorIndex
    encoder_of: Callable[[str], Encoder]
    """The model of a collection; raises SourceError."""
    decoder: PictureDecoder
    reader: PictureReader
    places: PortablePlaces
    import_roots: Sequence[Path]
    metadata_fields: dict[str, FieldType]

    def open(self, job: Job, asked: PointsSource) -> PointsReader:
        """The reader of an import.

        Raises SourceError: `path_not_allowed` for a path that is relative, and as `encoder_of` does.
        """
        encoder = self.encoder_of(job.request.collection)
        folder, roots = self._place(asked)
        open_file = partial(open_local_file, roots=roots)
        fields = indexed_fields(self.metadata_fields)
        if asked.format is PointsFormat.SIGHTLINE:
            return ExportReader(folder, open_file, encoder.manifest, fields)
        pictures = ClipPictures(self.reader, self.decoder, self.index, encoder.manifest, job)
        return ClipReader(folder, roots, open_file, encoder, asked.model, pictures, self.metadata_fields)

    def _place(self, asked: PointsSource) -> tuple[Path, Sequence[Path]]:
        if asked.upload is not None:
            folder = self.places.upload(asked.upload)
            return folder, [folder]
        path = Path(asked.path or "")
        if not path.is_absolute():
            raise SourceError("path_not_allowed", f"Folder '{path}' is not named by an absolute path.")
        return path, self.import_roots
