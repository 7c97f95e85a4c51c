"""The text half of a model as sentence-transformers loads it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from sightline.encoder import Vectors
from sightline.encoder.artifact import TextHandling
from sightline.encoder.openvino import save_tower
from sightline.encoder.torch import load_sentence_transformer, set_padding
from sightline.errors import ModelError
from sightline_embedder.models.hub import hub_has, is_cached
from sightline_embedder.models.reference import TextReference

_PADDED_TO_CONTEXT = {"siglip", "siglip2"}
_CAUSAL = {"clip"}
_TOKENS_OF_AN_EXAMPLE = 7


def load_source(source: str) -> Any:
    """A model of sentence-transformers, from a folder or by hub name; raises ModelError."""
    if Path(source).is_dir():
        return load_sentence_transformer(source, device="cpu")
    if is_cached(source):
        return load_sentence_transformer(source, device="cpu")
    if hub_has(source):
        return load_sentence_transformer(source, device="cpu", local_files_only=False)
    raise ModelError(
        f"The model '{source}' is neither a folder nor in the local cache, and the model hub does not offer "
        f"it from here: name a folder that holds the model, or use 'starter', which needs no hub."
    )


def kept_name(source: str) -> str:
    """How a manifest names a source, so that it is found again from elsewhere."""
    return str(Path(source).resolve()) if Path(source).is_dir() else source


def text_reference(
    model: Any, source: str, padding: Literal["longest", "max_length"] | None = None, prompt: str = "{}"
) -> TextReference:
    """The text tower of a loaded model, padded as its family needs unless told; raises ModelError."""
    handling = _text_handling(model, padding, prompt)
    set_padding(model, handling.padding, handling.context_tokens)
    return TextReference(
        handling=handling,
        tokenizer_json=_tokenizer_json(model, source),
        tower=_TextTower(model).eval(),
        inputs=_text_inputs(model),
        encode=lambda texts: encode_unit(model, [prompt.replace("{}", text, 1) for text in texts]),
    )


def save_text_tower(texts: TextReference, path: Path, *, fp16_weights: bool) -> None:
    """Convert a text tower to OpenVINO IR; raises RuntimeError if OpenVINO cannot."""
    padded = texts.handling.padding == "max_length"
    tokens = texts.handling.context_tokens if padded else _TOKENS_OF_AN_EXAMPLE
    ids = {name: torch.ones([2, tokens], dtype=torch.int64) for name in texts.inputs}
    shapes = {name: [-1, tokens if padded else -1] for name in ids}
    save_tower(texts.tower, ids, shapes, path, fp16_weights)


def encode_unit(model: Any, inputs: Sequence[Any]) -> Vectors:
    """What sentence-transformers makes of texts or pictures: unit vectors, shape (n, dimension)."""
    vectors: Vectors = model.encode(list(inputs), normalize_embeddings=True, show_progress_bar=False)
    return vectors


def _text_handling(model: Any, padding: Literal["longest", "max_length"] | None, prompt: str) -> TextHandling:
    config = model[0].model.config.get_text_config()
    positions = int(getattr(config, "max_position_embeddings", 512))
    tokens = min(int(model.max_seq_length or positions), positions)
    of_family: Literal["longest", "max_length"] = (
        "max_length" if model[0].model.config.model_type in _PADDED_TO_CONTEXT else "longest"
    )
    pad_id = model.tokenizer.pad_token_id
    return TextHandling(
        context_tokens=tokens,
        padding=padding or of_family,
        padding_side=model.tokenizer.padding_side,
        pad_id=0 if pad_id is None else pad_id,
        prompt=prompt,
    )


def _tokenizer_json(model: Any, source: str) -> str:
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(f"The tokenizer of '{source}' has no fast version, which Sightline needs.")
    return str(backend.to_str())


def _text_inputs(model: Any) -> tuple[str, ...]:
    """A causal tower that reads its vector at the end of the text never sees the padding behind it."""
    made = model.preprocess(["a text"])
    names = ["input_ids"] if model[0].model.config.model_type in _CAUSAL else ["input_ids", "attention_mask"]
    return tuple(name for name in names if name in made)


class _TextTower(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        features = {"input_ids": input_ids, "modality": "text"}
        if attention_mask is not None:
            features["attention_mask"] = attention_mask
        return normalize(self.model(features)["sentence_embedding"], dim=1)
