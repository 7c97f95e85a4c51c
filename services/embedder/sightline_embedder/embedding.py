"""The models of an embedder, and where the points of a collection go that they make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import structlog

from sightline.encoder import Encoder, Vectors, Views
from sightline.encoder.artifact import Preprocessing
from sightline.encoder.registry import Model, ModelRegistry
from sightline.encoder.tagging import Tagger
from sightline.errors import ModelError
from sightline.index import VectorIndex
from sightline.queue.migrations import Migrations
from sightline.settings import Settings
from sightline_embedder.errors import EncoderBroken
from sightline_embedder.progress import Progress

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class EmbeddingModel:
    """A model that pictures are encoded with, and tagged with where settings ask for tags.

    `progress` is told of a model that encodes nothing.
    """

    encoder: Encoder
    tagger: Tagger | None
    progress: Progress = field(default_factory=Progress)

    @property
    def preprocessing(self) -> Preprocessing:
        """What pictures are decoded for."""
        return self.encoder.manifest.preprocessing

    def encode(self, views: Views) -> Vectors:
        """Encode prepared pictures.

        Raises EncoderBroken where the model fails at any picture, and what the encoder raises where one of
        these is to blame.
        """
        try:
            vectors = self.encoder.encode_views(views)
        except Exception:  # Runtimes raise what they like; a blank picture tells whose fault it is.
            self._check_works(views)
            raise
        self.progress.fault = None
        return vectors

    def _check_works(self, views: Views) -> None:
        """Encode a blank picture, with which nothing can be wrong; raises EncoderBroken."""
        try:
            self.encoder.encode_views(np.zeros((1, *views.shape[1:]), views.dtype))
        except Exception as error:
            broken = EncoderBroken(self.encoder.manifest.name, self.encoder.numerics, error)
            self.progress.fault = str(broken)
            raise broken from error

    def tags(self, vectors: Vectors) -> Sequence[tuple[str, ...]]:
        """The tags of each of n pictures, by their vectors, shape (n, dimension)."""
        return self.tagger.tags(vectors) if self.tagger is not None else [()] * len(vectors)


def embedding_model(settings: Settings, progress: Progress) -> Callable[[Model], EmbeddingModel]:
    """What makes an EmbeddingModel of a loaded one; `progress` is told of that of new collections alone."""

    def make(model: Model) -> EmbeddingModel:
        # An embedder that counts as unwell is started again, which ends what its other models do.
        told = progress if model.of_new_collections else Progress()
        if not settings.auto_tags:
            return EmbeddingModel(model.encoder, None, told)
        try:
            tagger = Tagger.of(settings.auto_tags, model.encoder, model.artifact)
        except ModelError as error:
            # The model of new collections was chosen together with the tags; that of a migration was not.
            if model.of_new_collections:
                raise
            _log.warning("no_auto_tags", model=model.artifact.manifest.name, detail=str(error))
            return EmbeddingModel(model.encoder, None, told)
        return EmbeddingModel(model.encoder, tagger, told)

    return make


@dataclass(frozen=True)
class Destination:
    """A version of a collection that points go to, and the model that makes its vectors."""

    version: str
    model: EmbeddingModel


class Destinations:
    """Where the points of collections go. Safe to use from several threads."""

    def __init__(
        self, index: VectorIndex, models: ModelRegistry[EmbeddingModel], migrations: Migrations
    ) -> None:
        self._index = index
        self._models = models
        self._migrations = migrations

    def of(self, collection: str) -> Sequence[Destination]:
        """The live version of a collection, and after it the one that a migration keeps beside it.

        Raises CollectionNotFound, ModelError if a model is not here, and Unavailable.
        """
        migration = self._migrations.of(collection)
        if migration is None:
            info = self._index.collection(collection, counted=False)
            return [Destination(info.version, self._models.get(info.space, info.precision))]
        models = {
            migration.old: (migration.old_space, migration.old_precision),
            migration.new: (migration.space, migration.precision),
        }
        versions = [one for one in (migration.live, migration.twin) if one is not None]
        return [Destination(one, self._models.get(*models[one])) for one in versions]

    def beyond(self, collection: str, known: Sequence[Destination]) -> bool:
        """Whether points of the collection go to more versions by now than to these. Raises Unavailable."""
        migration = self._migrations.of(collection)
        written = {one.version for one in known}
        return migration is not None and not {migration.live, migration.twin or migration.live} <= written
