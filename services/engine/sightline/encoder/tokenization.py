"""Texts to token ids, as the manifest says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sightline.encoder.artifact import TextHandling
from sightline.errors import ModelError

_TOKENS_OF_A_CALL = 64
"""Padding that costs about as much as one more call of a text tower, which reads all its weights."""


@dataclass(frozen=True)
class TokenBatch:
    """Texts of similar length: `rows` are their places, `ids` and `mask` int64 (n, tokens)."""

    rows: Sequence[int]
    ids: NDArray[np.int64]
    mask: NDArray[np.int64]


class TextTokenizer:
    """A tokenizer with the model's truncation, padding and prompt. Safe to call from several threads."""

    def __init__(self, path: Path, handling: TextHandling) -> None:
        """Load a tokenizer.json; raises ModelError if it cannot be read."""
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(
                f"The tokenizer {path} cannot be read: {error}. Build the artifact again."
            ) from error
        self._handling = handling
        self._tokenizer.enable_truncation(handling.context_tokens)
        self._tokenizer.enable_padding(
            direction=handling.padding_side,
            pad_id=handling.pad_id,
            length=handling.context_tokens if handling.padding == "max_length" else None,
        )

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Token ids and attention mask of at least one text, both int64 (n, tokens)."""
        encodings = self._tokenizer.encode_batch([self._prompted(text) for text in texts])
        ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64)
        return ids, mask

    def batches(self, texts: Sequence[str]) -> Iterator[TokenBatch]:
        """At least one text, in batches of similar length: a long text does not make short ones long."""
        ids, mask = self(texts)
        if self._handling.padding == "max_length":
            yield TokenBatch(range(len(texts)), ids, mask)
            return
        lengths = mask.sum(axis=1)
        for rows in _of_similar_length(lengths):
            longest = int(lengths[rows].max())
            kept = slice(longest) if self._handling.padding_side == "right" else slice(-longest, None)
            yield TokenBatch(rows, ids[rows, kept], mask[rows, kept])

    @property
    def context_tokens(self) -> int:
        """How many tokens of a text are kept."""
        return self._handling.context_tokens

    def exceeds_context(self, text: str) -> bool:
        """Whether the end of `text` is cut off."""
        return bool(self._tokenizer.encode(self._prompted(text)).overflowing)

    def _prompted(self, text: str) -> str:
        return self._handling.prompt.replace("{}", text, 1)


def _of_similar_length(lengths: NDArray[np.int64]) -> Iterator[list[int]]:
    shortest, *others = np.argsort(lengths, kind="stable").tolist()
    rows, padding = [shortest], 0
    for row in others:
        padding += len(rows) * int(lengths[row] - lengths[rows[-1]])
        if padding > _TOKENS_OF_A_CALL:
            yield rows
            rows, padding = [], 0
        rows.append(row)
    yield rows
