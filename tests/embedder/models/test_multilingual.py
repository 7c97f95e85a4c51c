import shutil
from pathlib import Path

import numpy as np
import pytest
from multilingual_tower import save_multilingual_tower
from sentence_transformers import SentenceTransformer

from sightline.encoder.artifact import MULTILINGUAL_FILES, Artifact, check_hashes, open_artifact
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.encoder.self_test import lowest_cosine, self_test
from sightline.encoder.torch import SentenceTransformersEncoder
from sightline.errors import ModelError
from sightline.settings import Precision
from sightline_embedder.models.__main__ import have_artifact
from sightline_embedder.models.multilingual import add_multilingual

TEXTS = ["eine katze", "un gato", "猫", "cat", "a much longer cat text " * 20]


@pytest.fixture(scope="module")
def tower(tiny_clip_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_multilingual_tower(tmp_path_factory.mktemp("tower"), tiny_clip_artifact)


@pytest.fixture
def artifact(tiny_clip_artifact: Path, tmp_path: Path) -> Artifact:
    return open_artifact(Path(shutil.copytree(tiny_clip_artifact, tmp_path / "artifact")))


def test_other_languages_are_read_as_sentence_transformers_reads_them(
    artifact: Artifact, tower: Path
) -> None:
    stock = SentenceTransformer(str(tower), device="cpu").encode(TEXTS, normalize_embeddings=True)
    before = OpenVinoEncoder(artifact, Precision.F32)

    made = add_multilingual(artifact, str(tower))
    encoder = OpenVinoEncoder(made, Precision.F32)

    assert encoder.multilingual is not None
    assert lowest_cosine(encoder.multilingual.encode_texts(TEXTS), stock) >= 0.99999
    german, spanish, chinese, english = encoder.multilingual.encode_texts(["katze", "gato", "猫", "cat"])
    np.testing.assert_allclose([german, spanish, chinese], [english] * 3, atol=1e-5)
    assert encoder.multilingual.context_tokens == 48
    assert encoder.multilingual.exceeds_context(TEXTS[-1])
    assert encoder.multilingual.encode_texts([]).shape == (0, 32)
    # And nothing that is indexed, or asked in English, moves
    assert made.manifest.space == artifact.manifest.space
    np.testing.assert_array_equal(encoder.encode_texts(TEXTS), before.encode_texts(TEXTS))
    assert made.manifest.multilingual is not None
    assert made.manifest.multilingual.agreement > 0.15


def test_sentence_transformers_itself_reads_them_alike(artifact: Artifact, tower: Path) -> None:
    made = add_multilingual(artifact, str(tower))
    ours, theirs = OpenVinoEncoder(made, Precision.F32), SentenceTransformersEncoder(made)

    assert ours.multilingual is not None
    assert theirs.multilingual is not None
    vectors = theirs.multilingual.encode_texts(TEXTS)
    assert lowest_cosine(vectors, ours.multilingual.encode_texts(TEXTS)) >= 0.99999


def test_its_files_are_checked_like_all_others(artifact: Artifact, tower: Path) -> None:
    made = add_multilingual(artifact, str(tower))
    check_hashes(made)
    (made.path / MULTILINGUAL_FILES[1]).write_bytes(b"")

    with pytest.raises(ModelError, match="has 0 bytes"):
        open_artifact(made.path)


def test_a_tower_that_reads_otherwise_than_recorded_fails_the_self_test(
    artifact: Artifact, tower: Path
) -> None:
    made = add_multilingual(artifact, str(tower))
    golden = made.multilingual_golden()
    turned = type(golden)(golden.texts, np.roll(golden.vectors, 1, axis=0))
    turned.write(made.path / "multilingual-golden.npz")

    with pytest.raises(ModelError, match="multilingual text vectors differ"):
        self_test(OpenVinoEncoder(made, Precision.F32), made)


def test_a_tower_of_another_space_is_refused(
    artifact: Artifact, starter_artifact: Path, tmp_path: Path
) -> None:
    # Given one whose vectors have another length, and one that puts words anywhere
    other = save_multilingual_tower(tmp_path / "other", starter_artifact)
    with pytest.raises(ModelError, match="makes vectors of 384 numbers, and tiny-clip of 32"):
        add_multilingual(artifact, str(other))

    from sentence_transformers.base.modules import Dense

    own = save_multilingual_tower(tmp_path / "own", artifact.path)
    model = SentenceTransformer(str(own), device="cpu")
    dense = model[2]
    assert isinstance(dense, Dense)
    dense.linear.reset_parameters()
    model.save(str(tmp_path / "strange"))
    with pytest.raises(ModelError, match="puts English words elsewhere than tiny-clip"):
        add_multilingual(artifact, str(tmp_path / "strange"))
    assert open_artifact(artifact.path).manifest.multilingual is None


def test_an_artifact_that_lacks_the_tower_gets_it(artifact: Artifact, tower: Path) -> None:
    space = artifact.manifest.space

    made = have_artifact("any", artifact.path, str(tower))
    again = have_artifact("any", artifact.path, str(tower))

    assert made.manifest.space == space
    assert made.manifest.multilingual is not None
    assert made.manifest.multilingual.source == str(tower)
    assert again.manifest == made.manifest
