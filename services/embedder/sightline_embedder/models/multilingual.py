"""A second text tower for an artifact: one that reads other languages into the same space.

Such a tower learnt to put a text and its translations where the model's own tower puts the English one
(Reimers and Gurevych, Making Monolingual Sentence Embeddings Multilingual Using Knowledge Distillation,
EMNLP 2020), so that pictures stay as they are indexed.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from sightline.encoder import Vectors
from sightline.encoder.artifact import (
    MULTILINGUAL_FILES,
    MULTILINGUAL_GOLDEN,
    MULTILINGUAL_TOKENIZER,
    MULTILINGUAL_TOWER,
    Artifact,
    FileRecord,
    Manifest,
    Multilingual,
    open_artifact,
    write_manifest,
)
from sightline.encoder.golden import GoldenTexts
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.encoder.self_test import lowest_cosine, self_test
from sightline.errors import ModelError
from sightline.identity import sha256_of_file
from sightline.settings import Precision
from sightline_embedder.models.golden_inputs import TEXTS
from sightline_embedder.models.parity import LOWEST_F32_COSINE
from sightline_embedder.models.reference import TextReference
from sightline_embedder.models.text_reference import kept_name, load_source, save_text_tower, text_reference
from sightline_embedder.models.vocabulary import ordinary_words

LOWEST_AGREEMENT = 0.1
"""A hundred times what a tower of another space reaches, of a thousand words."""

Progress = Callable[[str], None]


def add_multilingual(artifact: Artifact, source: str, progress: Progress = lambda _: None) -> Artifact:
    """Give an artifact a text tower for other languages, in place of an earlier one; its space stays.

    `source` is a hub name or a folder of sentence-transformers. Raises ModelError when it cannot be loaded
    or converted, or makes vectors of another space.
    """
    progress(f"loading {source}")
    texts = text_reference(load_source(source), source)
    progress("comparing it with the text tower for English")
    agreement = _agreement(artifact, source, texts)
    with TemporaryDirectory(prefix=".multilingual.", dir=artifact.path) as temporary:
        progress("converting it")
        _write(texts, Path(temporary))
        for name in MULTILINGUAL_FILES:
            (Path(temporary) / name).replace(artifact.path / name)
    made = Multilingual(source=kept_name(source), text=texts.handling, agreement=agreement)
    write_manifest(artifact.path, _with_multilingual(artifact, made))
    finished = open_artifact(artifact.path)
    progress("comparing it with the reference")
    try:
        _check(finished)
    except ModelError:
        write_manifest(artifact.path, artifact.manifest.model_copy(update={"multilingual": None}))
        raise
    return finished


def _agreement(artifact: Artifact, source: str, texts: TextReference) -> float:
    """The share of words that the new tower puts nearest to where the first one has the same word."""
    first = OpenVinoEncoder(artifact, Precision.F32).encode_texts(ordinary_words())
    words: Vectors = texts.encode(ordinary_words())
    if words.shape[1] != artifact.manifest.dimension:
        raise ModelError(
            f"'{source}' makes vectors of {words.shape[1]} numbers, and {artifact.manifest.name} of "
            f"{artifact.manifest.dimension}: it is not a text tower of the same space."
        )
    agreement = float(((words @ first.T).argmax(axis=1) == np.arange(len(first))).mean())
    if agreement < LOWEST_AGREEMENT:
        raise ModelError(
            f"'{source}' puts English words elsewhere than {artifact.manifest.name} does (the same place for "
            f"{agreement:.1%} of them): it is not a text tower of the same space."
        )
    return agreement


def _write(texts: TextReference, folder: Path) -> None:
    save_text_tower(texts, folder / MULTILINGUAL_TOWER, fp16_weights=True)
    (folder / MULTILINGUAL_TOKENIZER).write_text(texts.tokenizer_json, encoding="utf-8")
    GoldenTexts(TEXTS, texts.encode(TEXTS)).write(folder / MULTILINGUAL_GOLDEN)


def _with_multilingual(artifact: Artifact, made: Multilingual) -> Manifest:
    files = {name: artifact.path / name for name in MULTILINGUAL_FILES}
    records = {
        name: FileRecord(bytes=file.stat().st_size, sha256=sha256_of_file(file))
        for name, file in files.items()
    }
    before = artifact.manifest
    return before.model_copy(update={"multilingual": made, "files": before.files | records})


def _check(artifact: Artifact) -> None:
    encoder = OpenVinoEncoder(artifact, Precision.F32)
    self_test(encoder, artifact)
    golden = artifact.multilingual_golden()
    assert encoder.multilingual is not None
    cosine = lowest_cosine(encoder.multilingual.encode_texts(golden.texts), golden.vectors)
    if not cosine >= LOWEST_F32_COSINE:
        raise ModelError(
            f"The text tower for other languages does not agree with its reference (cosine {cosine:.6f}, at "
            f"least {LOWEST_F32_COSINE} is needed)."
        )
