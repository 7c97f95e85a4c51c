import shutil
from pathlib import Path

import numpy as np
import pytest

from sightline.encoder.artifact import Artifact, check_hashes, open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.encoder.prompts import query_texts
from sightline.encoder.self_test import self_test
from sightline.errors import ModelError
from sightline_embedder.models.prompts import set_prompts
from sightline_embedder.models.vocabulary import ordinary_words


@pytest.fixture
def artifact(starter_artifact: Path, tmp_path: Path) -> Artifact:
    return open_artifact(Path(shutil.copytree(starter_artifact, tmp_path / "artifact")))


def test_prompts_are_kept_and_taken_back_without_a_new_space(artifact: Artifact) -> None:
    words = artifact.vocabulary()

    made = set_prompts(artifact, ["{}", "a photo of a {}"])

    check_hashes(made)
    encoder = OpenVinoEncoder(made)
    self_test(encoder, made)
    assert made.manifest.space == artifact.manifest.space
    assert made.manifest.prompts == ("{}", "a photo of a {}")
    assert made.manifest.calibration is None
    np.testing.assert_allclose(
        made.vocabulary()[:5], query_texts(encoder).encode_texts(ordinary_words()[:5]), atol=1e-5
    )
    assert np.abs(made.vocabulary() - words).max() > 0.01

    without = set_prompts(made, [])

    assert without.manifest.prompts == ()
    np.testing.assert_allclose(without.vocabulary(), words, atol=1e-4)


@pytest.mark.parametrize("prompt", ["a photo", "{} and {}", "{0}", ""])
def test_a_prompt_has_one_place_for_the_text(artifact: Artifact, prompt: str) -> None:
    with pytest.raises(ModelError, match="exactly one"):
        set_prompts(artifact, ["{}", prompt])
    assert open_artifact(artifact.path).manifest == artifact.manifest
