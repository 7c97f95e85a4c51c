import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from sightline.encoder.artifact import Artifact, View
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.encoder.self_test import lowest_cosine
from sightline.errors import ModelError
from sightline.settings import Precision
from sightline_embedder.models.build import build_artifact, load_reference
from sightline_embedder.models.catalog import CatalogEntry, entry_for

TEXTS = ["a cat", "A Cat!", "a much longer text about a cat " * 20, "x"]


@pytest.fixture(scope="module")
def siglip_artifact(siglip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return build_artifact(str(siglip_folder), tmp_path_factory.mktemp("siglip-artifact") / "siglip")


def test_siglip_texts_are_padded_to_their_full_length(siglip_folder: Path, siglip_artifact: Artifact) -> None:
    # Given what SigLIP was trained on: 64 tokens, padded on the right
    stock = SentenceTransformer(str(siglip_folder), device="cpu")
    stock[0].processing_kwargs = {"text": {"padding": "max_length", "max_length": 64, "truncation": True}}
    padded = stock.encode(TEXTS, normalize_embeddings=True)
    unpadded = SentenceTransformer(str(siglip_folder), device="cpu").encode(
        TEXTS[:1], normalize_embeddings=True
    )

    vectors = OpenVinoEncoder(siglip_artifact, Precision.F32).encode_texts(TEXTS)

    assert siglip_artifact.manifest.family == "siglip"
    assert siglip_artifact.manifest.text.padding == "max_length"
    assert siglip_artifact.manifest.context_tokens == 64
    assert lowest_cosine(vectors, padded) >= 0.99999
    assert lowest_cosine(vectors[:1], unpadded) < 0.999


def test_siglip_stretches_pictures(
    siglip_folder: Path, siglip_artifact: Artifact, pictures: list[Image.Image]
) -> None:
    stock = SentenceTransformer(str(siglip_folder), device="cpu").encode(pictures, normalize_embeddings=True)

    assert siglip_artifact.manifest.preprocessing.views == (View.STRETCH,)
    assert siglip_artifact.manifest.preprocessing.resample == "bilinear"
    assert (
        lowest_cosine(OpenVinoEncoder(siglip_artifact, Precision.F32).encode_images(pictures), stock)
        >= 0.99999
    )


def test_text_tower_of_its_own_with_a_prompt(
    tiny_clip_folder: Path, text_folder: Path, tmp_path: Path
) -> None:
    # Given a text model trained into the space of a CLIP, as the multilingual one of B-32
    entry = CatalogEntry(
        name="two-towers",
        source=str(tiny_clip_folder),
        text_source=str(text_folder),
        license="MIT",
        note="",
        prompt="about {}",
    )
    stock = SentenceTransformer(str(text_folder), device="cpu").encode(
        [f"about {text}" for text in TEXTS], normalize_embeddings=True
    )

    artifact = build_artifact(entry, tmp_path / "artifact")
    encoder = OpenVinoEncoder(artifact, Precision.F32)

    assert artifact.manifest.text_source == str(text_folder)
    assert artifact.manifest.dimension == 32
    assert lowest_cosine(encoder.encode_texts(TEXTS), stock) >= 0.99999


def test_model_of_texts_alone_is_no_clip(text_folder: Path) -> None:
    with pytest.raises(ModelError, match="does not encode both pictures and texts"):
        load_reference(entry_for(str(text_folder)))


def test_picture_preparation_that_sightline_does_not_know(tiny_clip_folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    for file in tiny_clip_folder.iterdir():
        (odd / file.name).write_bytes(file.read_bytes())
    processor = json.loads((odd / "processor_config.json").read_text())
    processor["image_processor"]["size"] = {"shortest_edge": 80}
    (odd / "processor_config.json").write_text(json.dumps(processor))

    with pytest.raises(ModelError, match="prepares pictures in a way Sightline does not know"):
        load_reference(entry_for(str(odd)))


@pytest.fixture(scope="module")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model of texts: DistilBERT, mean pooling, a dense layer to 32 dimensions."""
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import DistilBertConfig, DistilBertModel, PreTrainedTokenizerFast

    out = tmp_path_factory.mktemp("text")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *"abcdefghijklmnopqrstuvwxyz",
        "cat",
        "text",
        "longer",
        "about",
    ]
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=48,
        model_input_names=["input_ids", "attention_mask"],
    )
    torch.manual_seed(1)
    config = DistilBertConfig(
        vocab_size=len(words), dim=24, hidden_dim=48, n_layers=2, n_heads=2, max_position_embeddings=48
    )
    DistilBertModel(config).save_pretrained(out / "bert")
    fast.save_pretrained(out / "bert")
    transformer = Transformer(str(out / "bert"))
    dense = Dense(24, 32, bias=False, activation_function=torch.nn.Identity())
    SentenceTransformer(modules=[transformer, Pooling(24), dense], device="cpu").save(str(out / "model"))
    return out / "model"
