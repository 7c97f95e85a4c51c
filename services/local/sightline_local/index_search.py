"""Searches by a text on an index at hand, through the API's own parts and without HTTP."""

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from sightline.encoder import Encoder
from sightline.encoder.artifact import Artifact
from sightline.index import ScoredPoint, SearchQuery, VectorIndex
from sightline.settings import SEARCH_EF
from sightline_api.http.metrics import Metrics
from sightline_api.search.backgrounds import Backgrounds
from sightline_api.search.query import Aim, EncodedQuery
from sightline_api.search.relevance import Relevance
from sightline_api.search.text_cache import TextVectorCache
from sightline_api.search.text_vectors import TextInLanguage, TextVectors
from sightline_local.evaluation import DEPTH, Answer, FoundPicture


class IndexSearch:
    """A collection and the model of its vectors. Every search encodes its text: no vector is remembered."""

    def __init__(self, artifact: Artifact, encoder: Encoder, index: VectorIndex, collection: str) -> None:
        """`encoder` runs `artifact`, and made the vectors of `collection`."""
        self._space = encoder.manifest.space
        self._texts = TextVectors(encoder, TextVectorCache(entries=0), Metrics())
        self._relevance = Relevance(artifact.manifest.calibration, artifact.vocabulary(), Backgrounds(index))
        self._index = index
        self._collection = collection

    def answer(self, text: str, ef: int | None) -> Answer:
        """The first DEPTH pictures, with `ef` candidates kept; None compares with every original vector."""
        started = perf_counter()
        vector = self._vector(text)
        encoded = perf_counter()
        wanted = SearchQuery(
            vector, self._space, DEPTH, exact=ef is None, ef=ef or SEARCH_EF, with_vectors=True
        )
        found = self._index.search(self._collection, wanted)
        relevance = self._relevance.of(self._collection, _query(vector), found)
        done = perf_counter()
        return Answer(
            [FoundPicture(_names(point), one) for point, one in zip(found, relevance, strict=True)],
            encode_ms=(encoded - started) * 1e3,
            index_ms=(done - encoded) * 1e3,
        )

    def _vector(self, text: str) -> NDArray[np.float32]:
        asked = TextInLanguage(text)
        return self._texts.of([asked])[asked]


def _query(vector: NDArray[np.float32]) -> EncodedQuery:
    return EncodedQuery(
        strategy="sum",
        aims=(Aim(vector, is_text=True),),
        norm=1.0,
        parts=vector[None],
        weights=np.ones(1, np.float32),
        image_ids=(),
        warnings=(),
    )


def _names(point: ScoredPoint) -> frozenset[str]:
    return frozenset({point.id, *(source.uri for source in point.payload.sources.values())})
