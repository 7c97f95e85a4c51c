"""From a model by name or folder to an artifact that was checked against its reference."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch

from sightline.encoder.artifact import (
    FILES,
    GOLDEN,
    IMAGE_TOWER,
    TEXT_TOWER,
    TOKENIZER,
    VOCABULARY,
    Artifact,
    Checks,
    FileRecord,
    Manifest,
    check_hashes,
    open_artifact,
    write_manifest,
)
from sightline.encoder.openvino import OpenVinoEncoder, choose_precision, cpu_has_bf16, save_tower
from sightline.encoder.self_test import self_test
from sightline.errors import ModelError
from sightline.identity import sha256_of_file
from sightline.settings import Precision
from sightline_embedder.models.catalog import STARTER, CatalogEntry, entry_for
from sightline_embedder.models.parity import LOWEST_BF16_COSINE, measure, record_golden
from sightline_embedder.models.reference import Reference
from sightline_embedder.models.text_reference import save_text_tower
from sightline_embedder.models.vocabulary import ordinary_words

Progress = Callable[[str], None]
_UNMEASURED = Checks(image_cosine_f32=0, text_cosine_f32=0)


def build_artifact(model: str | CatalogEntry, out: Path, progress: Progress = lambda _: None) -> Artifact:
    """Build `starter`, a hub name, a model folder or an entry into the folder `out`, replacing what is there.

    `progress` gets a line for each step. The folder appears whole or not at all. Raises ModelError
    when the model cannot be loaded, converted, kept there, or does not agree with its reference.
    """
    entry = entry_for(model) if isinstance(model, str) else model
    folder = _draft_folder(out)
    try:
        progress(f"loading {entry.name}")
        reference = load_reference(entry)
        _write(reference, folder, progress)
        _replace(out, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return open_artifact(out)


def verify_artifact(path: Path, progress: Progress = lambda _: None) -> Checks:
    """Check an artifact anew: every hash, the self-test at each precision this CPU has, and parity with
    its source where that can be loaded. Returns what was measured, or what the build had measured when
    the source is not at hand. Raises ModelError."""
    artifact = open_artifact(path)
    progress("comparing hashes")
    check_hashes(artifact)
    for precision in artifact.manifest.precisions:
        if precision is not Precision.BF16 or cpu_has_bf16():
            progress(f"self-test in {precision}")
            self_test(OpenVinoEncoder(artifact, precision), artifact)
    try:
        reference = load_reference(_entry_of(artifact.manifest))
    except ModelError as error:
        progress(f"not compared with its source: {error}")
        return artifact.manifest.checks
    progress("comparing with its source")
    return measure(reference, artifact, record_golden(reference))


def load_reference(entry: CatalogEntry) -> Reference:
    """Load the model an artifact is built from; raises ModelError."""
    try:
        if entry.name == STARTER:
            from sightline_embedder.models.starter import load_starter

            return load_starter()
        from sightline_embedder.models.clip import load_clip

        return load_clip(entry)
    except ImportError as error:
        raise ModelError(
            f"Building a model needs a package that is not installed ({error.name}): "
            f"install sightline-embedder[models]."
        ) from error


def space_id(reference: Reference) -> str:
    """The id of the space of a model's vectors: a slug of its name and a hash over weights,
    preprocessing, tokenizer and text handling; precision and runtime have no part in it."""
    tokenizer = json.loads(reference.texts.tokenizer_json) | {"truncation": None, "padding": None}
    handling = reference.texts.handling.model_dump()
    parts = [reference.digest, reference.preprocessing.model_dump(), handling, tokenizer]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    slug = re.sub(r"[^a-z0-9]+", "-", reference.name.lower()).strip("-") or "model"
    return f"{slug}@{digest[:16]}"


def _draft_folder(out: Path) -> Path:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise ModelError(
            f"No model can be kept in {out.parent}: {error.strerror}. Name another folder."
        ) from error


def _write(reference: Reference, folder: Path, progress: Progress) -> None:
    progress("converting the image tower")
    spec = reference.preprocessing
    shape = [len(spec.views), spec.size, spec.size, 3]
    example = {"views": torch.zeros([2, *shape], dtype=torch.uint8)}
    save_tower(
        reference.image_tower, example, {"views": [-1, *shape]}, folder / IMAGE_TOWER, reference.fp16_weights
    )
    progress("converting the text tower")
    save_text_tower(reference.texts, folder / TEXT_TOWER, fp16_weights=reference.fp16_weights)
    (folder / TOKENIZER).write_text(reference.texts.tokenizer_json, encoding="utf-8")
    progress("recording golden vectors")
    golden = record_golden(reference)
    golden.write(folder / GOLDEN)
    progress("recording words")
    np.save(folder / VOCABULARY, reference.texts.encode(ordinary_words()).astype(np.float32))
    progress("comparing with the reference")
    draft = _draft(reference, folder, golden.image_vectors.shape[1])
    checks = measure(reference, Artifact(folder, draft), golden)
    manifest = draft.model_copy(update={"checks": checks} | _fit_precisions(draft, checks))
    write_manifest(folder, manifest)
    self_test(OpenVinoEncoder(open_artifact(folder)), Artifact(folder, manifest))


def _draft(reference: Reference, folder: Path, dimension: int) -> Manifest:
    return Manifest(
        name=reference.name,
        revision=reference.revision,
        family=reference.family,
        space=space_id(reference),
        dimension=dimension,
        license=reference.license,
        source=reference.source,
        text_source=reference.text_source,
        preprocessing=reference.preprocessing,
        text=reference.texts.handling,
        logit_scale=reference.logit_scale,
        calibration=reference.calibration,
        checks=_UNMEASURED,
        precisions=reference.precisions,
        default_precision=reference.default_precision,
        files={
            name: FileRecord(bytes=(folder / name).stat().st_size, sha256=sha256_of_file(folder / name))
            for name in (*FILES, VOCABULARY)
        },
    )


def _fit_precisions(draft: Manifest, checks: Checks) -> dict[str, object]:
    measured = [
        cosine for cosine in (checks.image_cosine_bf16, checks.text_cosine_bf16) if cosine is not None
    ]
    if all(cosine >= LOWEST_BF16_COSINE for cosine in measured):
        return {}
    kept = tuple(precision for precision in draft.precisions if precision is not Precision.BF16)
    return {"precisions": kept, "default_precision": choose_precision(draft, Precision.AUTO, bf16=False)}


def _replace(out: Path, folder: Path) -> None:
    folder.chmod(0o755)
    if out.exists():
        old = Path(mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
        out.rename(old / out.name)
        folder.rename(out)
        shutil.rmtree(old)
    else:
        folder.rename(out)


def _entry_of(manifest: Manifest) -> CatalogEntry:
    return CatalogEntry(
        name=manifest.name,
        source=manifest.source,
        license=manifest.license,
        note="",
        text_source=manifest.text_source,
        padding=manifest.text.padding,
        prompt=manifest.text.prompt,
    )
