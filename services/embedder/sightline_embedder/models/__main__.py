"""`python -m sightline_embedder.models NAME FOLDER`: have the artifact of a model in a folder."""

import argparse
import sys
from pathlib import Path

import structlog

from sightline.encoder.artifact import Artifact, check_hashes, open_artifact
from sightline.errors import ModelError, SightlineError
from sightline.logs import configure_logging

_log = structlog.get_logger(__name__)


def main() -> int:
    """Build the artifact if it is missing or damaged; 2 when it cannot be, with the reason."""
    arguments = argparse.ArgumentParser(prog="python -m sightline_embedder.models", description=__doc__)
    arguments.add_argument("name", help="`starter`, a hub name, or a model's folder")
    arguments.add_argument("folder", type=Path, help="folder of the artifact")
    arguments.add_argument("--multilingual", help="a second text tower, by name or folder; empty: none")
    told = arguments.parse_args()
    configure_logging("info", "model")
    try:
        artifact = have_artifact(told.name, told.folder, told.multilingual or None)
    except SightlineError as error:
        sys.stderr.write(f"sightline model: {error}\n")
        return 2
    _log.info("model_ready", model=artifact.manifest.name, space=artifact.manifest.space)
    return 0


def have_artifact(name: str, folder: Path, multilingual: str | None = None) -> Artifact:
    """The artifact in `folder` if it is whole, else one built anew from `name`. Raises ModelError.

    With a `multilingual` text tower, which is added if it lacks one. No other model is ever taken instead.
    """
    artifact = _have_model(name, folder)
    if multilingual is None or artifact.manifest.multilingual is not None:
        return artifact
    from sightline_embedder.models.multilingual import add_multilingual

    return add_multilingual(artifact, multilingual, lambda step: _log.info("model_build", step=step))


def _have_model(name: str, folder: Path) -> Artifact:
    try:
        artifact = open_artifact(folder)
        check_hashes(artifact)
    except ModelError as error:
        _log.info("model_build", model=name, folder=str(folder), reason=str(error))
    else:
        return artifact
    # Imported here: torch takes seconds, and a whole artifact needs none.
    from sightline_embedder.models.build import build_artifact

    return build_artifact(name, folder, lambda step: _log.info("model_build", step=step))


if __name__ == "__main__":
    sys.exit(main())
