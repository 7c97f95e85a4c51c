"""The sentence-transformers runtime (GPU hosts), and the only door to sentence-transformers."""

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from sightline.encoder import Vectors, Views
from sightline.encoder.artifact import MULTILINGUAL_TOKENIZER, TOKENIZER, Artifact, Manifest, TextHandling
from sightline.encoder.tokenization import TextTokenizer
from sightline.errors import ModelError

_BATCH = {"cpu": 64, "cuda": 512}
"""Pictures in one call. A GPU is quicker the more it is given at once."""


class SentenceTransformersEncoder:
    """An encoder that lets sentence-transformers prepare, tokenise and encode as it does itself.

    Runs on CUDA in bf16 where there is a GPU, else on the CPU in f32.
    """

    def __init__(self, artifact: Artifact) -> None:
        """Load the model that the artifact was built from, from disk alone; raises ModelError."""
        self._manifest = manifest = artifact.manifest
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._image_model = load_sentence_transformer(manifest.source, device=self.device)
        text_model = self._image_model
        if manifest.text_source:
            text_model = load_sentence_transformer(manifest.text_source, device=self.device)
        self._texts = _TextModel(text_model, artifact.path / TOKENIZER, manifest.text, self._encode)
        self._multilingual: _TextModel | None = None
        if (other := manifest.multilingual) is not None:
            other_model = load_sentence_transformer(other.source, device=self.device)
            tokenizer = artifact.path / MULTILINGUAL_TOKENIZER
            self._multilingual = _TextModel(other_model, tokenizer, other.text, self._encode)
        self._mean = torch.tensor(manifest.preprocessing.mean, device=self.device) * 255
        self._std = torch.tensor(manifest.preprocessing.std, device=self.device) * 255

    @property
    def manifest(self) -> Manifest:
        """What the model is."""
        return self._manifest

    @property
    def numerics(self) -> str:
        """`torch-bf16` on CUDA, `torch-f32` on the CPU."""
        return "torch-bf16" if self.device == "cuda" else "torch-f32"

    def encode_views(self, views: Views) -> Vectors:
        """Encode prepared pictures, uint8 (n, 1, size, size, 3)."""
        size = _BATCH[self.device]
        chunks = [self._encode_pixels(views[start : start + size]) for start in range(0, len(views), size)]
        return np.concatenate([self._none(), *chunks])

    def encode_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        """Encode upright sRGB pictures, prepared by the model's own processor."""
        return self._encode(self._image_model, list(pictures))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts; those longer than the context are cut at its end."""
        return self._texts.encode_texts(texts)

    def exceeds_context(self, text: str) -> bool:
        """Whether the text tower sees only the beginning of `text`."""
        return self._texts.exceeds_context(text)

    @property
    def context_tokens(self) -> int:
        """How many tokens of a text the text tower sees."""
        return self._texts.context_tokens

    @property
    def multilingual(self) -> "_TextModel | None":
        """The text tower for languages other than English, if the artifact has one."""
        return self._multilingual

    def _encode(self, model: SentenceTransformer, inputs: list[Any]) -> Vectors:
        if not inputs:
            return self._none()
        with self._arithmetic():
            vectors = model.encode(inputs, batch_size=_BATCH[self.device], show_progress_bar=False)
        return _unit(np.asarray(vectors, np.float32))

    def _encode_pixels(self, views: Views) -> Vectors:
        with torch.inference_mode(), self._arithmetic():
            pixels = (self._on_device(views[:, 0]).float() - self._mean) / self._std
            features = {"pixel_values": pixels.permute(0, 3, 1, 2), "modality": "image"}
            vectors = self._image_model(features)["sentence_embedding"]
        return _unit(vectors.float().cpu().numpy())

    def _on_device(self, pixels: NDArray[np.uint8]) -> torch.Tensor:
        tensor = torch.from_numpy(pixels)
        if self.device == "cpu":
            return tensor
        # From pinned memory the GPU fetches the pixels by itself while this thread goes on.
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def _none(self) -> Vectors:
        return np.empty((0, self._manifest.dimension), np.float32)

    def _arithmetic(self) -> AbstractContextManager[Any]:
        return torch.autocast("cuda", torch.bfloat16) if self.device == "cuda" else nullcontext()


class _TextModel:
    """The text tower of a loaded model."""

    def __init__(
        self,
        model: SentenceTransformer,
        tokenizer: Path,
        handling: TextHandling,
        encode: Callable[[SentenceTransformer, list[Any]], Vectors],
    ) -> None:
        set_padding(model, handling.padding, handling.context_tokens)
        self._model = model
        self._tokenizer = TextTokenizer(tokenizer, handling)
        self._prompt = handling.prompt
        self._encode = encode

    @property
    def context_tokens(self) -> int:
        """How many tokens of a text it sees."""
        return self._tokenizer.context_tokens

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts; those longer than the context are cut at its end."""
        return self._encode(self._model, [self._prompt.replace("{}", text, 1) for text in texts])

    def exceeds_context(self, text: str) -> bool:
        """Whether it sees only the beginning of `text`."""
        return self._tokenizer.exceeds_context(text)


def load_sentence_transformer(
    source: str, *, device: str, local_files_only: bool = True
) -> SentenceTransformer:
    """Load a model in float32 by hub name or from a folder; raises ModelError if it cannot be."""
    offline = local_files_only or os.environ.get("HF_HUB_OFFLINE") == "1"
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        model = SentenceTransformer(source, device=device, local_files_only=offline)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise ModelError(
            f"sentence-transformers cannot load '{source}': {error}. Name a folder that holds the model, "
            f"or a model of the hub that is in the local cache."
        ) from error
    model.float().eval()
    return model


def set_padding(model: SentenceTransformer, padding: Literal["longest", "max_length"], tokens: int) -> None:
    """Make `model` cut texts at `tokens` and pad them as the manifest says.

    sentence-transformers pads to the longest text of a batch; SigLIP was trained on texts padded to
    their full length and gives noise otherwise.
    """
    model.max_seq_length = tokens
    if padding == "max_length":
        text = {"padding": "max_length", "max_length": tokens, "truncation": True}
        module: Any = model[0]
        module.processing_kwargs = {**module.processing_kwargs, "text": text}


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
