"""A small text tower that reads some words of other languages into the space of an artifact.

It has the shape of clip-ViT-B-32-multilingual-v1: DistilBERT, mean pooling and a dense layer. Its dense layer
is fitted to where the artifact puts English words; a foreign word is the same token as its translation.
"""

from pathlib import Path

TRANSLATIONS = {
    "katze": "cat",
    "gato": "cat",
    "猫": "cat",
    "tasse": "cup",
    "taza": "cup",
    "rakete": "missile",
    "cohete": "missile",
    "火箭": "missile",
}
_WIDTH = 512


def save_multilingual_tower(out: Path, artifact_folder: Path) -> Path:
    """Save one for an artifact as a model of sentence-transformers; returns its folder."""
    import numpy as np
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import DistilBertConfig, DistilBertModel

    from sightline.encoder.artifact import open_artifact
    from sightline_embedder.models.vocabulary import ordinary_words

    wanted = open_artifact(artifact_folder).vocabulary()
    tokens = _save_tokenizer(out / "bert", ordinary_words())
    torch.manual_seed(1)
    config = DistilBertConfig(
        vocab_size=tokens, dim=_WIDTH, hidden_dim=_WIDTH, n_layers=1, n_heads=2, max_position_embeddings=48
    )
    DistilBertModel(config).save_pretrained(out / "bert")
    transformer = Transformer(str(out / "bert"))
    pooled = SentenceTransformer(modules=[transformer, Pooling(_WIDTH)], device="cpu")
    features = pooled.encode(list(ordinary_words()), show_progress_bar=False)
    dense = Dense(_WIDTH, wanted.shape[1], bias=False, activation_function=torch.nn.Identity())
    # Weights kept small, so that half precision does for them.
    small = 1e-3 * np.eye(_WIDTH, dtype=np.float32) * float((features**2).sum(axis=0).mean())
    weights = np.linalg.solve(features.T @ features + small, features.T @ wanted)
    with torch.no_grad():
        dense.linear.weight.copy_(torch.from_numpy(weights.T))
    SentenceTransformer(modules=[transformer, Pooling(_WIDTH), dense], device="cpu").save(str(out / "model"))
    return out / "model"


def _save_tokenizer(out: Path, texts: "list[str] | tuple[str, ...]") -> int:
    """Save a tokenizer of whole words, in which a foreign word becomes its translation; returns its size."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for text in texts for word in text.lower().split()} | set(TRANSLATIONS.values()))
    vocabulary = {word: row for row, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    replaced = [normalizers.Replace(foreign, english) for foreign, english in TRANSLATIONS.items()]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *replaced])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=48,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(out)
    return len(vocabulary)
