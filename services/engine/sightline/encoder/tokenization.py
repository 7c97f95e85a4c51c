"""Texts to token ids, as the manifest says."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sightline.encoder.artifact import TextHandling
from sightline.errors import ModelError


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
        self._prompt = handling.prompt
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

    def exceeds_context(self, text: str) -> bool:
        """Whether the end of `text` is cut off."""
        return bool(self._tokenizer.encode(self._prompted(text)).overflowing)

    def _prompted(self, text: str) -> str:
        return self._prompt.replace("{}", text, 1)
