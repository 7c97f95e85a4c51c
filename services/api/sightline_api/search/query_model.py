"""What the gateway has of a model: all that makes vectors of queries and reads their scores."""

from collections.abc import Callable
from dataclasses import dataclass

from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.encoder.artifact import Artifact
from sightline.encoder.registry import Model
from sightline.index import VectorIndex
from sightline.media import MediaStore
from sightline.settings import Settings
from sightline_api.http.metrics import Metrics
from sightline_api.originals import Originals
from sightline_api.search.backgrounds import Backgrounds
from sightline_api.search.picture_vectors import PictureVectors
from sightline_api.search.query import QueryEncoder
from sightline_api.search.relevance import Relevance
from sightline_api.search.text_cache import TextVectorCache
from sightline_api.search.text_vectors import TextVectors


@dataclass(frozen=True)
class QueryModel:
    """A loaded model and what is built on it."""

    artifact: Artifact
    encoder: Encoder
    texts: TextVectors
    pictures: PictureVectors
    queries: QueryEncoder
    relevance: Relevance


def query_model(
    settings: Settings,
    decoder: PictureDecoder,
    index: VectorIndex,
    originals: Originals,
    media: MediaStore,
    metrics: Metrics,
) -> Callable[[Model], QueryModel]:
    """What makes a QueryModel of a loaded model. All of them share one cache of texts and backgrounds."""
    cache, backgrounds = TextVectorCache(settings.text_cache_entries), Backgrounds(index)

    def make(model: Model) -> QueryModel:
        artifact, encoder = model.artifact, model.encoder
        texts = TextVectors(encoder, cache, metrics)
        pictures = PictureVectors(
            encoder, decoder, index, originals, media, metrics, patience_s=settings.longest_wait_s
        )
        return QueryModel(
            artifact=artifact,
            encoder=encoder,
            texts=texts,
            pictures=pictures,
            queries=QueryEncoder(texts, pictures),
            relevance=Relevance(artifact.manifest.calibration, artifact.vocabulary(), backgrounds),
        )

    return make
