import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.encoder import Encoder
from sightline.encoder.artifact import GOLDEN, MANIFEST, open_artifact
from sightline.encoder.golden import Golden
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.encoder.registry import EncoderRegistry, open_encoder
from sightline.encoder.torch import SentenceTransformersEncoder
from sightline.errors import ModelError
from sightline.settings import Precision, Runtime, Settings


def test_opens_the_runtime_that_the_settings_name(tiny_clip_artifact: Path) -> None:
    on_openvino = open_encoder(tiny_clip_artifact, Settings(precision=Precision.F32))
    on_torch = open_encoder(tiny_clip_artifact, Settings(runtime=Runtime.TORCH))

    assert isinstance(on_openvino, OpenVinoEncoder)
    assert isinstance(on_torch, SentenceTransformersEncoder)
    assert on_openvino.manifest == on_torch.manifest


def test_starter_has_no_torch_runtime(starter_artifact: Path) -> None:
    with pytest.raises(ModelError, match="SIGHTLINE_RUNTIME=openvino"):
        open_encoder(starter_artifact, Settings(runtime=Runtime.TORCH))


def test_model_that_fails_its_self_test_does_not_open(tiny_clip_artifact: Path, tmp_path: Path) -> None:
    # Given an artifact whose recorded vectors are those of other texts
    copy = Path(shutil.copytree(tiny_clip_artifact, tmp_path / "copy"))
    golden = open_artifact(copy).golden()
    Golden(golden.views, golden.image_vectors, golden.texts, golden.text_vectors[::-1]).write(copy / GOLDEN)
    manifest = (copy / MANIFEST).read_text()
    old_size = open_artifact(tiny_clip_artifact).manifest.files[GOLDEN].bytes
    new_size = (copy / GOLDEN).stat().st_size
    (copy / MANIFEST).write_text(manifest.replace(f'"bytes": {old_size},', f'"bytes": {new_size},'))

    with pytest.raises(ModelError, match="text vectors differ from the recorded ones"):
        open_encoder(copy, Settings(precision=Precision.F32))


def test_registry_finds_encoders_by_space(encoder: Encoder) -> None:
    registry = EncoderRegistry()
    registry.add(encoder)

    assert registry.get(encoder.manifest.space) is encoder
    assert list(registry) == [encoder]
    assert len(registry) == 1


def test_registry_names_what_it_holds(encoder: Encoder) -> None:
    registry = EncoderRegistry()
    registry.add(encoder)

    with pytest.raises(ModelError, match=rf"other@0123456789abcdef .*{encoder.manifest.space}"):
        registry.get("other@0123456789abcdef")


def test_the_openvino_runtime_needs_no_torch(tiny_clip_artifact: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from sightline.encoder.registry import open_encoder\n"
        "from sightline.settings import Settings\n"
        "encoder = open_encoder(Path(sys.argv[1]), Settings())\n"
        "assert encoder.encode_texts(['a cat']).shape == (1, 32)\n"
        "print(*sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))\n"
    )

    result = subprocess.run(
        [sys.executable, "-c", program, str(tiny_clip_artifact)], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == ""
