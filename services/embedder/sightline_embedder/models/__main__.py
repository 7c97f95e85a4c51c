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
    told = arguments.parse_args()
    configure_logging("info", "model")
    try:
        artifact = have_artifact(told.name, told.folder)
    except SightlineError as error:
        sys.stderr.write(f"sightline model: {error}\n")
        return 2
    _log.info("model_ready", model=artifact.manifest.name, space=artifact.manifest.space)
    return 0


def have_artifact(name: str, folder: Path) -> Artifact:
    """The artifact in `folder` if it is whole, else one built anew from `name`. Raises ModelError.

    No other model is ever taken instead.
    """
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
