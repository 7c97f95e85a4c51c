"""Prompt ensembling: a text counts as the mean of what it is in several sentences.

Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021, section 3.1.4.
"""

from collections.abc import Sequence

import numpy as np

from sightline.encoder import Encoder, TextEncoder, Vectors


def query_texts(encoder: Encoder) -> TextEncoder:
    """How a model reads the texts of queries: with its prompts, if its artifact has some."""
    prompts = encoder.manifest.prompts
    return PromptEnsemble(encoder, prompts) if prompts else encoder


class PromptEnsemble:
    """A text tower that is asked with every prompt. Safe to call from several threads."""

    def __init__(self, tower: TextEncoder, prompts: Sequence[str]) -> None:
        """`prompts` have one `{}` each, where the text goes."""
        self._tower = tower
        self._prompts = prompts

    @property
    def context_tokens(self) -> int:
        """How many tokens of a prompt with its text the tower sees."""
        return self._tower.context_tokens

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """The mean of the unit vectors with each prompt, of length 1, shape (n, dimension)."""
        asked = [prompt.replace("{}", text, 1) for text in texts for prompt in self._prompts]
        vectors = self._tower.encode_texts(asked)
        means = vectors.reshape(len(texts), len(self._prompts), vectors.shape[1]).mean(axis=1)
        unit: Vectors = means / np.linalg.norm(means, axis=1, keepdims=True)
        return unit

    def exceeds_context(self, text: str) -> bool:
        """Whether the end of `text` is cut off with any prompt."""
        return any(self._tower.exceeds_context(prompt.replace("{}", text, 1)) for prompt in self._prompts)
