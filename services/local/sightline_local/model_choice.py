"""Which model an embedded stack runs, and building it when it is not on disk yet."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from sightline.encoder.artifact import MANIFEST, Artifact, open_artifact
from sightline.errors import ModelError
from sightline.process import start_child
from sightline_embedder.models.catalog import STARTER, entry_for
from sightline_embedder.models.hub import hub_has, is_cached
from sightline_local.errors import StartError

_log = structlog.get_logger(__name__)

PREFERRED = "clip-ViT-B-32"
FALLBACK_NOTICE = (
    "No CLIP model could be had, from this machine or from the model hub: using starter, a small model for "
    "first steps that knows about 1,000 kinds of things."
)
_LAST_USED = "last-used"
_END_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Decision:
    """What will be run: an artifact that is there, or one to be built from `source`."""

    source: str
    artifact: Artifact | None
    may_fall_back: bool = False
    """Nobody asked for this model, so `starter` will do if it cannot be built."""

    def __str__(self) -> str:
        """The decision in words."""
        where = f"in {self.artifact.path}" if self.artifact else "to be built at the first start"
        return f"{self.source}, {where}"


def choose_model(wanted: str | None, models: Path) -> Artifact:
    """The model to run, which is remembered as the one used last; raises StartError."""
    artifact = prepare_model(wanted, models)
    (models / _LAST_USED).write_text(artifact.path.name)
    return artifact


def prepare_model(wanted: str | None, models: Path) -> Artifact:
    """The model that would be run: decided, and built if it is not there yet; raises StartError."""
    return _carry_out(decide(wanted, models), models)


def _carry_out(decision: Decision, models: Path) -> Artifact:
    if decision.artifact is not None:
        return decision.artifact
    if not decision.may_fall_back:
        return _build(decision.source, models)
    if decision.source != STARTER:
        try:
            return _build(decision.source, models)
        except StartError as error:
            # The hub may fail half-way, or the local cache may have only a part of the model.
            _log.warning("model_build_failed", model=decision.source, detail=str(error))
    _log.warning("fell_back_to_starter", notice=FALLBACK_NOTICE)
    return _build(STARTER, models)


def decide(wanted: str | None, models: Path) -> Decision:
    """What was asked for; else what is in `models`; else CLIP if at hand; else `starter`.

    Takes seconds at most. Raises StartError when what was asked for cannot be had.
    """
    if wanted is not None:
        return _decide_named(wanted, models)
    if kept := _kept(models):
        return Decision(kept.manifest.name, kept)
    if _at_hand(PREFERRED):
        return Decision(PREFERRED, None, may_fall_back=True)
    return Decision(STARTER, None, may_fall_back=True)


def _decide_named(wanted: str, models: Path) -> Decision:
    """An artifact's folder, a model's folder, or a name."""
    path = Path(wanted).expanduser()
    try:
        if (path / MANIFEST).is_file():
            return Decision(wanted, open_artifact(path))
        built = models / _folder_name(wanted)
        if (built / MANIFEST).is_file() and not path.is_dir():
            return Decision(wanted, open_artifact(built))
    except ModelError as error:
        raise StartError(str(error)) from error
    if path.is_dir():
        return Decision(str(path.resolve()), None)
    if wanted == STARTER or _at_hand(wanted):
        return Decision(wanted, None)
    raise StartError(
        f"Model '{wanted}' is neither a folder here nor in the local cache of models, and the model hub does "
        f"not have it or cannot be reached. Name a folder in SIGHTLINE_MODEL or --model, or use '{STARTER}'."
    )


def _at_hand(name: str) -> bool:
    """Whether the local cache or the hub has what a model of that name is built from."""
    entry = entry_for(name)
    sources = (entry.source, entry.text_source)
    return all(is_cached(source) or hub_has(source) for source in sources if source is not None)


def _kept(models: Path) -> Artifact | None:
    """The artifact used last, else any other than `starter`, else `starter`."""
    last = models / _LAST_USED
    names = [last.read_text()] if last.is_file() else []
    names += sorted(
        (one.parent.name for one in models.glob(f"*/{MANIFEST}")), key=lambda name: name == STARTER
    )
    for name in names:
        try:
            return open_artifact(models / name)
        except ModelError as error:
            _log.warning("artifact_unusable", folder=str(models / name), detail=str(error))
    return None


def _build(source: str, models: Path) -> Artifact:
    """Build in a process of its own: torch is not to stay in the supervisor's memory."""
    out = models / _folder_name(source)
    try:
        # `up` has made the data folder. Whoever else is first keeps it as private.
        models.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"No model can be kept in {models}: {error.strerror}. Choose another folder with --data."
        ) from error
    _log.info("model_build", model=source, folder=str(out))
    if _status_of(_build_command(source, out)) != 0:
        raise StartError(f"Model '{source}' could not be built; the reason stands above.")
    return open_artifact(out)


def _status_of(command: Sequence[str]) -> int:
    """The exit status of a process that ends with this one, and before it where this one is stopped."""
    pipe, held = os.pipe()
    try:
        with start_child(command, os.environ, pipe) as child:
            try:
                return child.wait()
            except BaseException:
                _end(child)
                raise
    finally:
        os.close(held)
        os.close(pipe)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Have it remove what it has begun; hard if that takes long."""
    child.terminate()
    try:
        child.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()


def _build_command(source: str, out: Path) -> Sequence[str]:
    return [sys.executable, "-m", "sightline_local", "model", "build", source, "--out", str(out)]


def _folder_name(source: str) -> str:
    name = source.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip(".") or "model"
