"""From the parts of a query to the one vector that is searched for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.decoder import PictureDecoder
from sightline.encoder import Encoder
from sightline.errors import ImageNotFound, QueryCancelsOut
from sightline.index import VectorIndex
from sightline_api.search_models import ImageBytesPart, ImageIdPart, Part, QueryWarning, TextPart
from sightline_api.text_batcher import TextBatcher
from sightline_api.text_cache import TextKey, TextVectorCache

CANCELS_BELOW = 1e-3
"""Length of the weighted sum, as a share of the summed weights, below which nothing is left."""


@dataclass(frozen=True)
class EncodedQuery:
    """`vector` is float32, shape (dimension,), of length 1; `image_ids` are the stored pictures used."""

    vector: NDArray[np.float32]
    image_ids: tuple[str, ...]
    warnings: tuple[QueryWarning, ...]


class QueryEncoder:
    """Encodes queries; remembers the vectors of recent texts. Safe to call from several threads.

    Texts of calls at the same time are encoded together.
    """

    def __init__(
        self, encoder: Encoder, decoder: PictureDecoder, index: VectorIndex, texts: TextVectorCache
    ) -> None:
        self._encoder = encoder
        self._decoder = decoder
        self._index = index
        self._texts = texts
        self._batcher = TextBatcher(encoder.encode_texts)

    def encode(self, collection: str, parts: Sequence[Part]) -> EncodedQuery:
        """The normalised sum of the parts' unit vectors by weight.

        Raises QueryCancelsOut, ImageNotFound or BadPicture, or ApiError (429) if too many texts wait.
        """
        stored = self._stored_vectors(collection, parts)
        texts = self.text_vectors([part.text for part in parts if isinstance(part, TextPart)])
        vectors = np.stack([self._vector(part, stored, texts) for part in parts])
        weights = np.array([part.weight for part in parts], dtype=np.float32)
        total = weights @ vectors
        length = float(np.linalg.norm(total))
        if length < CANCELS_BELOW * float(np.abs(weights).sum()) or length == 0.0:
            raise QueryCancelsOut
        return EncodedQuery(
            vector=(total / length).astype(np.float32),
            image_ids=tuple(stored),
            warnings=tuple(self._warnings(parts)),
        )

    def text_vectors(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The vector of each text, read-only; raises ApiError (429) if too many texts wait."""
        space, numerics = self._encoder.manifest.space, self._encoder.numerics
        keys = {text: TextKey(space, numerics, text) for text in texts}
        vectors = {text: known for text, key in keys.items() if (known := self._texts.get(key)) is not None}
        new = [text for text in keys if text not in vectors]
        for text, vector in zip(new, self._batcher.encode(new), strict=True):
            self._texts.put(keys[text], vector)
            vectors[text] = vector
        return vectors

    def picture_vector(self, data: bytes) -> NDArray[np.float32]:
        """The vector of a picture's bytes; raises BadPicture."""
        decoded = self._decoder.submit(data, thumbnail=False).result()
        vector: NDArray[np.float32] = self._encoder.encode_views(decoded.views[np.newaxis])[0]
        return vector

    def _vector(
        self, part: Part, stored: dict[str, NDArray[np.float32]], texts: dict[str, NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        match part:
            case TextPart():
                return texts[part.text]
            case ImageIdPart():
                return stored[str(part.image_id)]
            case ImageBytesPart():
                return self.picture_vector(part.image_base64)

    def _stored_vectors(self, collection: str, parts: Sequence[Part]) -> dict[str, NDArray[np.float32]]:
        ids = [str(part.image_id) for part in parts if isinstance(part, ImageIdPart)]
        if not ids:
            return {}
        found = self._index.retrieve(collection, ids, with_vectors=True)
        vectors: dict[str, NDArray[np.float32]] = {}
        for image_id in ids:
            point = found.get(image_id)
            if point is None or point.vector is None:
                raise ImageNotFound(collection, image_id)
            vectors[image_id] = point.vector
        return vectors

    def _warnings(self, parts: Sequence[Part]) -> Sequence[QueryWarning]:
        limit = self._encoder.manifest.context_tokens
        return [
            QueryWarning(
                code="text_truncated",
                detail=f"Only the first {limit} tokens of part {number} count: '{part.text[:40]}…'.",
            )
            for number, part in enumerate(parts)
            if isinstance(part, TextPart) and self._encoder.exceeds_context(part.text)
        ]
