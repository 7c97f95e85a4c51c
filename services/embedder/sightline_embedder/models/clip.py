"""CLIP, SigLIP and SigLIP2 as sentence-transformers loads them: a hub name or a folder, either layout."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from sightline.encoder import Vectors
from sightline.encoder.artifact import Preprocessing, TextHandling, View
from sightline.encoder.torch import load_sentence_transformer, set_padding
from sightline.errors import ModelError
from sightline.settings import Precision
from sightline_embedder.models.catalog import CatalogEntry
from sightline_embedder.models.first_token import first_token_only
from sightline_embedder.models.hub import hub_has, is_cached
from sightline_embedder.models.reference import NormalisedPixels, Reference, digest_of

_PADDED_TO_CONTEXT = {"siglip", "siglip2"}
_CAUSAL = {"clip"}
_READS_FIRST_TOKEN = {"clip"}
_RESAMPLING: dict[int, Literal["bilinear", "bicubic", "lanczos"]] = {
    Image.Resampling.BILINEAR: "bilinear",
    Image.Resampling.BICUBIC: "bicubic",
    Image.Resampling.LANCZOS: "lanczos",
}


def load_clip(entry: CatalogEntry) -> Reference:
    """Load a model, from folders or the hub; raises ModelError if it cannot be, or is no CLIP."""
    image_model = _load(entry.source)
    text_model = _load(entry.text_source) if entry.text_source else image_model
    family = _family(image_model, entry.source)
    handling = _text_handling(text_model, entry)
    set_padding(text_model, handling.padding, handling.context_tokens)
    preprocessing = _preprocessing(image_model, entry.source)
    return Reference(
        name=entry.name,
        revision=str(getattr(image_model[0].model.config, "_commit_hash", None) or "local"),
        family=family,
        license=entry.license,
        source=_kept_name(entry.source),
        text_source=_kept_name(entry.text_source) if entry.text_source else None,
        digest=digest_of([model.state_dict() for model in dict.fromkeys((image_model, text_model))]),
        preprocessing=preprocessing,
        text=handling,
        tokenizer_json=_tokenizer_json(text_model, entry.source),
        image_tower=_ImageTower(image_model, preprocessing).eval(),
        text_tower=_TextTower(text_model).eval(),
        text_inputs=_text_inputs(text_model),
        encode_images=lambda pictures: _encode(image_model, pictures),
        encode_texts=lambda texts: _encode(
            text_model, [handling.prompt.replace("{}", text, 1) for text in texts]
        ),
        pixel_values=lambda pictures: _pixel_values(image_model, pictures),
        precisions=(Precision.F32, Precision.BF16),
        default_precision=Precision.BF16,
        logit_scale=_logit_scale(image_model),
    )


def _logit_scale(model: Any) -> float:
    """What the model learnt, as a logarithm, in training; 100 where it keeps none, as CLIP ends up with."""
    learnt = getattr(model[0].model, "logit_scale", None)
    return 100.0 if learnt is None else float(learnt.detach().exp())


def _load(source: str) -> Any:
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


def _kept_name(source: str) -> str:
    return str(Path(source).resolve()) if Path(source).is_dir() else source


def _family(model: Any, source: str) -> str:
    family = str(model[0].model.config.model_type)
    if not {"text", "image"} <= set(model[0].modalities):
        raise ModelError(f"'{source}' is a {family} model that does not encode both pictures and texts.")
    return family


def _preprocessing(model: Any, source: str) -> Preprocessing:
    processor = model[0].processor.image_processor
    size = processor.size
    side = size.get("shortest_edge") or size.get("height")
    cropped = bool(getattr(processor, "do_center_crop", False))
    crop = processor.crop_size["height"] if cropped else side
    resample = _RESAMPLING.get(int(processor.resample))
    if not side or crop != side or resample is None:
        raise ModelError(
            f"'{source}' prepares pictures in a way Sightline does not know (size {size}, crop {crop})."
        )
    return Preprocessing(
        size=side,
        views=(View.CENTER_CROP if "shortest_edge" in size else View.STRETCH,),
        resample=resample,
        mean=cast(tuple[float, float, float], tuple(processor.image_mean)),
        std=cast(tuple[float, float, float], tuple(processor.image_std)),
    )


def _text_handling(model: Any, entry: CatalogEntry) -> TextHandling:
    config = model[0].model.config.get_text_config()
    positions = int(getattr(config, "max_position_embeddings", 512))
    tokens = min(int(model.max_seq_length or positions), positions)
    padded = entry.padding or (
        "max_length" if model[0].model.config.model_type in _PADDED_TO_CONTEXT else "longest"
    )
    pad_id = model.tokenizer.pad_token_id
    return TextHandling(
        context_tokens=tokens,
        padding=padded,
        padding_side=model.tokenizer.padding_side,
        pad_id=0 if pad_id is None else pad_id,
        prompt=entry.prompt,
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


class _ImageTower(nn.Module):
    layers: nn.ModuleList | None

    def __init__(self, model: Any, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.pixels = NormalisedPixels(preprocessing)
        self.model = model
        inner = model[0].model
        self.layers = (
            inner.vision_model.encoder.layers if inner.config.model_type in _READS_FIRST_TOKEN else None
        )

    def forward(self, views: Tensor) -> Tensor:
        features = {"pixel_values": self.pixels(views), "modality": "image"}
        with first_token_only(self.layers) if self.layers is not None else nullcontext():
            return normalize(self.model(features)["sentence_embedding"], dim=1)


class _TextTower(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        features = {"input_ids": input_ids, "modality": "text"}
        if attention_mask is not None:
            features["attention_mask"] = attention_mask
        return normalize(self.model(features)["sentence_embedding"], dim=1)


def _encode(model: Any, inputs: Sequence[Any]) -> Vectors:
    vectors: Vectors = model.encode(list(inputs), normalize_embeddings=True, show_progress_bar=False)
    return vectors


def _pixel_values(model: Any, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
    with torch.inference_mode():
        values: NDArray[np.float32] = model.preprocess(list(pictures))["pixel_values"].numpy()
    return values
