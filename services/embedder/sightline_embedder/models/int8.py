"""An image tower in int8: made with nncf, calibrated and judged on real pictures, added to an artifact."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sightline.encoder import Vectors, Views
from sightline.encoder.artifact import (
    IMAGE_TOWER,
    INT8_FILES,
    INT8_IMAGE_TOWER,
    Artifact,
    FileRecord,
    Int8Checks,
    Manifest,
    open_artifact,
    write_manifest,
)
from sightline.encoder.openvino import OpenVinoEncoder, rewrite_tower
from sightline.encoder.preprocessing import prepare
from sightline.encoder.self_test import lowest_cosine
from sightline.errors import BadPicture, ModelError
from sightline.identity import sha256_of_file
from sightline.pictures import PictureLimits, open_picture
from sightline.settings import Precision

LOWEST_COSINE_P1 = 0.995
LOWEST_OVERLAP_AT_10 = 0.97
FEWEST_PICTURES = 60
"""Half of them calibrate, half judge: nearest neighbours of fewer say little."""
MOST_PICTURES = 600
_NEIGHBOURS = 10
_LIMITS = PictureLimits(max_bytes=128 << 20, max_pixels=250_000_000)

Progress = Callable[[str], None]


def add_int8(
    artifact: Artifact, files: Sequence[Path], *, trained: bool, progress: Progress = lambda _: None
) -> Artifact:
    """Give an artifact an image tower in int8, in place of an earlier one, and note how good it is.

    `files` are at least 60 real pictures; what cannot be read as a picture is left out. `trained`: whether
    the model's weights are known to be trained ones. int8 becomes the default if they are and it is near
    enough to f32, may be asked for where that is not known, and is refused where it is too far.
    Raises ModelError.
    """
    if artifact.manifest.family == "starter":
        raise ModelError("The starter model is not made for int8: build another, or leave --precision out.")
    progress("preparing pictures")
    views = _views(artifact.manifest, files)
    with TemporaryDirectory(prefix=".int8.", dir=artifact.path) as temporary:
        progress(f"quantizing with {len(views[::2])} pictures")
        made = Path(temporary) / INT8_IMAGE_TOWER
        try:
            rewrite_tower(artifact.path / IMAGE_TOWER, made, lambda model: _quantized(model, views[::2]))
        except RuntimeError as error:
            raise ModelError(f"nncf cannot quantize {artifact.path / IMAGE_TOWER}: {error}") from error
        for name in INT8_FILES:
            (Path(temporary) / name).replace(artifact.path / name)
    progress(f"judging with {len(views[1::2])} pictures")
    checks = _judge(artifact, views[1::2], trained)
    manifest = _with_int8(artifact, checks)
    write_manifest(artifact.path, manifest)
    return open_artifact(artifact.path)


def is_near_enough(checks: Int8Checks) -> bool:
    """Whether int8 finds what f32 finds."""
    return checks.cosine_p1 >= LOWEST_COSINE_P1 and checks.overlap_at_10 >= LOWEST_OVERLAP_AT_10


def overlap_at_10(found: Vectors, expected: Vectors) -> float:
    """The mean share of each row's ten nearest other rows that are the same in both."""
    pairs = zip(_nearest(found), _nearest(expected), strict=True)
    return float(np.mean([len(one & other) / _NEIGHBOURS for one, other in pairs]))


def _nearest(vectors: Vectors) -> list[set[int]]:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return [set(row) for row in np.argsort(-scores, axis=1)[:, :_NEIGHBOURS].tolist()]


def _views(manifest: Manifest, files: Sequence[Path]) -> Views:
    spec, prepared = manifest.preprocessing, []
    for file in files[:MOST_PICTURES]:
        try:
            prepared.append(prepare(open_picture(file.read_bytes(), _LIMITS, spec.size).image, spec))
        except BadPicture:
            continue
    if len(prepared) < FEWEST_PICTURES:
        raise ModelError(
            f"int8 needs at least {FEWEST_PICTURES} pictures to be calibrated and judged on; there are "
            f"{len(prepared)}. Name a folder of photos like those you will index."
        )
    return np.stack(prepared)


def _quantized(model: Any, views: Views) -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # Else it reports its use to an analytics service.
    try:
        import nncf
    except ImportError as error:
        raise ModelError("int8 needs nncf: install sightline-embedder[int8].") from error
    pictures = nncf.Dataset([views[row : row + 1] for row in range(len(views))])
    return nncf.quantize(
        model,
        pictures,
        subset_size=len(views),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        model_type=nncf.ModelType.TRANSFORMER,
    )


def _judge(artifact: Artifact, views: Views, trained: bool) -> Int8Checks:
    unjudged = Int8Checks(pictures=len(views), trained=trained, cosine_p1=0, overlap_at_10=0, golden_cosine=0)
    draft = Artifact(artifact.path, _with_int8(artifact, unjudged, allowed=True))
    golden = artifact.golden()
    full = OpenVinoEncoder(artifact, Precision.F32).encode_views(views)
    encoder = OpenVinoEncoder(draft, Precision.INT8)
    vectors = encoder.encode_views(views)
    return unjudged.model_copy(
        update={
            "cosine_p1": float(np.percentile((vectors * full).sum(1), 1)),
            "overlap_at_10": overlap_at_10(vectors, full),
            "golden_cosine": lowest_cosine(encoder.encode_views(golden.views), golden.image_vectors),
        }
    )


def _with_int8(artifact: Artifact, checks: Int8Checks, allowed: bool = False) -> Manifest:
    """The manifest with int8 in it; a default of int8 from before goes with its tower."""
    before = artifact.manifest
    others = tuple(one for one in before.precisions if one is not Precision.INT8)
    default = before.default_precision
    if default is Precision.INT8:
        default = Precision.BF16 if Precision.BF16 in others else Precision.F32
    near = is_near_enough(checks)
    if near and checks.trained:
        default = Precision.INT8
    kept = allowed or near or not checks.trained
    files = {name: (artifact.path / name) for name in INT8_FILES}
    records = {
        name: FileRecord(bytes=file.stat().st_size, sha256=sha256_of_file(file))
        for name, file in files.items()
    }
    return before.model_copy(
        update={
            "checks": before.checks.model_copy(update={"int8": checks}),
            "precisions": (*others, Precision.INT8) if kept else others,
            "default_precision": default,
            "files": before.files | records,
        }
    )
