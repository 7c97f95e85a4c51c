"""The texts that one tower reads: remembered, and else encoded together with those of other requests."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.encoder import TextEncoder
from sightline_api.http.metrics import Metrics
from sightline_api.search.text_batcher import TextBatcher
from sightline_api.search.text_cache import TextKey, TextVectorCache


class TowerTexts:
    """Encodes texts with one tower. Safe to use from several threads."""

    def __init__(
        self, tower: TextEncoder, name: tuple[str, str, str], cache: TextVectorCache, metrics: Metrics
    ) -> None:
        """`name` is all that tells the tower's vectors from others in `cache`: space, numerics, tower."""
        self._tower = tower
        self._name = name
        self._cache = cache
        self._metrics = metrics
        self._batcher = TextBatcher(self._encode)

    def of(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The unit vector of each text, read-only; raises ApiError (429) if too many texts wait."""
        keys = {text: TextKey(*self._name, text) for text in texts}
        vectors = {text: known for text, key in keys.items() if (known := self._cache.get(key)) is not None}
        new = [text for text in keys if text not in vectors]
        self._metrics.texts_looked_up(len(vectors), len(new))
        for text, vector in zip(new, self._batcher.encode(new), strict=True):
            self._cache.put(keys[text], vector)
            vectors[text] = vector
        return vectors

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self._metrics.texts_encoded(len(texts))
        return self._tower.encode_texts(texts)

    def is_cut(self, text: str) -> bool:
        """Whether a text is longer than what the tower sees of it."""
        return self._tower.exceeds_context(text)

    @property
    def context_tokens(self) -> int:
        """How many tokens of a text the tower sees."""
        return self._tower.context_tokens
