"""Opening encoders by runtime, and keeping them by the space of their vectors."""

from collections.abc import Iterator
from pathlib import Path

from sightline.encoder import Encoder
from sightline.encoder.artifact import Artifact, open_artifact
from sightline.encoder.self_test import self_test
from sightline.errors import ModelError
from sightline.settings import Runtime, Settings


def open_encoder(path: Path, settings: Settings, cache_dir: Path | None = None) -> Encoder:
    """Load the artifact in `path` on the runtime that the settings name, and put it through its self-test.

    `cache_dir`: where compiled towers are kept for quicker starts. Raises ModelError.
    """
    artifact = open_artifact(path)
    encoder = _load(artifact, settings, cache_dir)
    self_test(encoder, artifact)
    return encoder


class EncoderRegistry:
    """The encoders of a process, by space id."""

    def __init__(self) -> None:
        self._encoders: dict[str, Encoder] = {}

    def add(self, encoder: Encoder) -> None:
        """Register an encoder; a second one of the same space takes the place of the first."""
        self._encoders[encoder.manifest.space] = encoder

    def get(self, space: str) -> Encoder:
        """The encoder that makes vectors of `space`; raises ModelError if none is loaded."""
        if space not in self._encoders:
            loaded = ", ".join(self._encoders) or "none"
            raise ModelError(f"No model that makes vectors of space {space} is loaded (loaded: {loaded}).")
        return self._encoders[space]

    def __iter__(self) -> Iterator[Encoder]:
        """All encoders, in the order they were added."""
        return iter(self._encoders.values())

    def __len__(self) -> int:
        """The number of encoders."""
        return len(self._encoders)


def _load(artifact: Artifact, settings: Settings, cache_dir: Path | None) -> Encoder:
    if settings.runtime is Runtime.TORCH:
        if artifact.manifest.family == "starter":
            raise ModelError("The starter model runs on OpenVINO alone: set SIGHTLINE_RUNTIME=openvino.")
        from sightline.encoder.torch import SentenceTransformersEncoder

        return SentenceTransformersEncoder(artifact)
    from sightline.encoder.openvino import OpenVinoEncoder

    return OpenVinoEncoder(artifact, settings.precision, settings.encoder_threads, cache_dir)
