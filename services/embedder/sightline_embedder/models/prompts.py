"""The prompts of an artifact: set, and what depends on them made anew."""

from collections.abc import Sequence

import numpy as np
from pydantic import TypeAdapter, ValidationError

from sightline.encoder.artifact import (
    VOCABULARY,
    Artifact,
    FileRecord,
    Prompt,
    open_artifact,
    write_manifest,
)
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.encoder.prompts import PromptEnsemble
from sightline.errors import ModelError
from sightline.identity import sha256_of_file
from sightline_embedder.models.vocabulary import ordinary_words

_PROMPTS = TypeAdapter(tuple[Prompt, ...])


def set_prompts(artifact: Artifact, prompts: Sequence[str]) -> Artifact:
    """Have the texts of queries read with each of some prompts; with none, as they are.

    The space stays, so nothing is indexed again. The calibration goes: scores mean something else now.
    Raises ModelError for a prompt without exactly one `{}`.
    """
    try:
        checked = _PROMPTS.validate_python(tuple(prompts))
    except ValidationError as error:
        raise ModelError("A prompt has exactly one {} where the text goes, as 'a photo of {}'.") from error
    encoder = OpenVinoEncoder(artifact)
    texts = PromptEnsemble(encoder, checked or ("{}",))
    path = artifact.path / VOCABULARY
    np.save(path, texts.encode_texts(ordinary_words()))
    record = FileRecord(bytes=path.stat().st_size, sha256=sha256_of_file(path))
    before = artifact.manifest
    changes = {"prompts": checked, "calibration": None, "files": before.files | {VOCABULARY: record}}
    write_manifest(artifact.path, before.model_copy(update=changes))
    return open_artifact(artifact.path)
