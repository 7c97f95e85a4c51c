"""The vectors of texts: each from the tower that reads its language."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.encoder import Encoder
from sightline.encoder.prompts import query_texts
from sightline_api.http.metrics import Metrics
from sightline_api.search.languages import ENGLISH, is_english
from sightline_api.search.text_batcher import MOST_AT_ONCE
from sightline_api.search.text_cache import TextVectorCache
from sightline_api.search.tower_texts import TowerTexts


class TextInLanguage(NamedTuple):
    """A text, and the language that it was said to be in: a BCP 47 tag, or None."""

    text: str
    lang: str | None = None


class TextVectors:
    """Encodes texts. Safe to use from several threads.

    A model with a second text tower reads English with its own and other languages with that one. The
    language is what the caller says, else what the text looks like.
    """

    def __init__(self, encoder: Encoder, cache: TextVectorCache, metrics: Metrics) -> None:
        of = (encoder.manifest.space, encoder.numerics)
        self._own = TowerTexts(query_texts(encoder), (*of, "own"), cache, metrics)
        self._multilingual: TowerTexts | None = None
        if encoder.multilingual is not None:
            self._multilingual = TowerTexts(encoder.multilingual, (*of, "multilingual"), cache, metrics)

    def of(self, texts: Sequence[TextInLanguage]) -> dict[TextInLanguage, NDArray[np.float32]]:
        """The unit vector of each text, read-only; raises ApiError (429) if too many texts wait."""
        vectors: dict[TextInLanguage, NDArray[np.float32]] = {}
        towers = {text: self._tower(text) for text in texts}
        for tower in dict.fromkeys(towers.values()):
            read = [text for text, reader in towers.items() if reader is tower]
            found = tower.of([one.text for one in read])
            vectors |= {one: found[one.text] for one in read}
        return vectors

    def of_many(self, texts: Sequence[TextInLanguage]) -> dict[TextInLanguage, NDArray[np.float32]]:
        """The same for any number of texts, a part at a time: a search waits for one part, not for all."""
        vectors: dict[TextInLanguage, NDArray[np.float32]] = {}
        for part in _parts(texts):
            vectors |= self.of(part)
        return vectors

    def is_multilingual(self) -> bool:
        """Whether other languages than English have a tower of their own."""
        return self._multilingual is not None

    def kept_tokens(self, text: TextInLanguage) -> int | None:
        """How many tokens of a text count if it is longer than its tower reads, None if all do."""
        tower = self._tower(text)
        return tower.context_tokens if tower.is_cut(text.text) else None

    def _tower(self, text: TextInLanguage) -> TowerTexts:
        if self._multilingual is None:
            return self._own
        said = text.lang and text.lang.split("-")[0].lower()
        english = said == ENGLISH if said else is_english(text.text)
        return self._own if english else self._multilingual


def _parts(texts: Sequence[TextInLanguage]) -> Iterator[Sequence[TextInLanguage]]:
    return (texts[start : start + MOST_AT_ONCE] for start in range(0, len(texts), MOST_AT_ONCE))
