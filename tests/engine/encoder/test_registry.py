import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sightline.encoder.artifact import GOLDEN, MANIFEST, open_artifact
from sightline.encoder.golden import Golden
from sightline.encoder.openvino import OpenVinoEncoder
from sightline.encoder.registry import Model, ModelRegistry, open_encoder
from sightline.encoder.torch import SentenceTransformersEncoder
from sightline.errors import ModelError
from sightline.settings import Precision, Runtime, Settings

OTHER = "other@0123456789abcdef"


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


@pytest.fixture
def models(tiny_clip_artifact: Path, tmp_path: Path) -> Path:
    """A folder with two models and one that is broken; `other` has vectors of another space."""
    folder = tmp_path / "models"
    for name in ("first", "other", "broken"):
        shutil.copytree(tiny_clip_artifact, folder / name)
    manifest = (folder / "other" / MANIFEST).read_text()
    space = open_artifact(tiny_clip_artifact).manifest.space
    (folder / "other" / MANIFEST).write_text(manifest.replace(space, OTHER))
    (folder / "broken" / MANIFEST).write_text("{}")
    return folder


def registry_of(models: Path) -> ModelRegistry[Model]:
    return ModelRegistry(Settings(model=str(models / "first"), precision=Precision.F32), lambda model: model)


def test_models_are_found_by_space_and_loaded_once(models: Path) -> None:
    registry = registry_of(models)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: registry.get(OTHER), range(4)))

    assert {id(one) for one in found} == {id(registry.get(OTHER))}
    assert found[0].artifact.path == models / "other"
    default = registry.default
    assert registry.get(default.artifact.manifest.space) is registry.of_new_collections
    assert default.encoder.numerics == "openvino-f32"


def test_a_precision_is_a_model_of_its_own(models: Path) -> None:
    registry = registry_of(models)
    space = registry.default.artifact.manifest.space

    assert registry.get(space, Precision.F32) is not registry.get(space)
    with pytest.raises(ModelError, match="in int8"):
        registry.get(space, Precision.INT8)


def test_what_nobody_asks_for_is_unloaded_except_the_default(models: Path) -> None:
    registry = registry_of(models)
    default, other = registry.of_new_collections, registry.get(OTHER)

    registry.unload_idle(idle_s=3600)
    assert registry.get(OTHER) is other
    registry.unload_idle(idle_s=0)

    assert registry.get(OTHER) is not other
    assert registry.of_new_collections is default


@pytest.mark.parametrize(
    "name", ["../models/other", "/etc", "", ".", "broken", "second", "other/", "a" * 300]
)
def test_a_name_is_that_of_a_folder_of_models_and_no_path(models: Path, name: str) -> None:
    with pytest.raises(ModelError, match="there are: first, other"):
        registry_of(models).named(name)


def test_a_model_that_is_not_there_is_named(models: Path) -> None:
    with pytest.raises(ModelError, match=r"none@0123456789abcdef .*SIGHTLINE_MODELS_DIR"):
        registry_of(models).get("none@0123456789abcdef")
