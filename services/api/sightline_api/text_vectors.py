"""The vectors of texts: remembered, and else encoded together with those of other requests."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.encoder import Encoder
from sightline_api.text_batcher import MOST_AT_ONCE, TextBatcher
from sightline_api.text_cache import TextKey, TextVectorCache


class TextVectors:
    """Encodes texts. Safe to use from several threads."""

    def __init__(self, encoder: Encoder, cache: TextVectorCache) -> None:
        self._encoder = encoder
        self._cache = cache
        self._batcher = TextBatcher(encoder.encode_texts)

    def of(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The unit vector of each text, read-only; raises ApiError (429) if too many texts wait."""
        space, numerics = self._encoder.manifest.space, self._encoder.numerics
        keys = {text: TextKey(space, numerics, text) for text in texts}
        vectors = {text: known for text, key in keys.items() if (known := self._cache.get(key)) is not None}
        new = [text for text in keys if text not in vectors]
        for text, vector in zip(new, self._batcher.encode(new), strict=True):
            self._cache.put(keys[text], vector)
            vectors[text] = vector
        return vectors

    def of_many(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The same for any number of texts, a part at a time: a search waits for one part, not for all."""
        vectors: dict[str, NDArray[np.float32]] = {}
        for start in range(0, len(texts), MOST_AT_ONCE):
            vectors |= self.of(texts[start : start + MOST_AT_ONCE])
        return vectors

    def is_cut(self, text: str) -> bool:
        """Whether a text is longer than what the model sees of it."""
        return self._encoder.exceeds_context(text)

    @property
    def context_tokens(self) -> int:
        """How many tokens of a text the model sees."""
        return self._encoder.manifest.context_tokens
