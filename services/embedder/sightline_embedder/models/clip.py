"""CLIP, SigLIP and SigLIP2 as sentence-transformers loads them: a hub name or a folder, either layout."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from sightline.encoder.artifact import Preprocessing, View
from sightline.errors import ModelError
from sightline.settings import Precision
from sightline_embedder.models.catalog import CatalogEntry
from sightline_embedder.models.first_token import first_token_only
from sightline_embedder.models.reference import NormalisedPixels, Reference, digest_of
from sightline_embedder.models.text_reference import encode_unit, kept_name, load_source, text_reference

_READS_FIRST_TOKEN = {"clip"}
_RESAMPLING: dict[int, Literal["bilinear", "bicubic", "lanczos"]] = {
    Image.Resampling.BILINEAR: "bilinear",
    Image.Resampling.BICUBIC: "bicubic",
    Image.Resampling.LANCZOS: "lanczos",
}


def load_clip(entry: CatalogEntry) -> Reference:
    """Load a model, from folders or the hub; raises ModelError if it cannot be, or is no CLIP."""
    image_model = load_source(entry.source)
    text_model = load_source(entry.text_source) if entry.text_source else image_model
    family = _family(image_model, entry.source)
    texts = text_reference(text_model, entry.text_source or entry.source, entry.padding, entry.prompt)
    preprocessing = _preprocessing(image_model, entry.source)
    return Reference(
        name=entry.name,
        revision=str(getattr(image_model[0].model.config, "_commit_hash", None) or "local"),
        family=family,
        license=entry.license,
        source=kept_name(entry.source),
        text_source=kept_name(entry.text_source) if entry.text_source else None,
        digest=digest_of([model.state_dict() for model in dict.fromkeys((image_model, text_model))]),
        preprocessing=preprocessing,
        texts=texts,
        image_tower=_ImageTower(image_model, preprocessing).eval(),
        encode_images=lambda pictures: encode_unit(image_model, pictures),
        pixel_values=lambda pictures: _pixel_values(image_model, pictures),
        precisions=(Precision.F32, Precision.BF16),
        default_precision=Precision.BF16,
        logit_scale=_logit_scale(image_model),
    )


def _logit_scale(model: Any) -> float:
    """What the model learnt, as a logarithm, in training; 100 where it keeps none, as CLIP ends up with."""
    learnt = getattr(model[0].model, "logit_scale", None)
    return 100.0 if learnt is None else float(learnt.detach().exp())


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


def _pixel_values(model: Any, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
    with torch.inference_mode():
        values: NDArray[np.float32] = model.preprocess(list(pictures))["pixel_values"].numpy()
    return values
