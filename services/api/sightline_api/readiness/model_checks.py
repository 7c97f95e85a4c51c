"""Whether the model in memory still gives its vectors, and whether that on disk is still the one built."""

from pathlib import Path
from time import monotonic
from typing import TypeAlias

from sightline.encoder import Encoder
from sightline.encoder.artifact import Artifact, FileRecord, open_artifact
from sightline.encoder.self_test import self_test
from sightline.errors import ModelError
from sightline.identity import sha256_of_file

SELF_TEST_EVERY_S = 600.0

_Stamp: TypeAlias = tuple[int, int, int]
"""Inode, size and time of change, ns."""


class ModelFiles:
    """Watches the files of an artifact: a file that has been touched is read and compared with its hash."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._sound = {name: _stamp(artifact.path / name) for name in artifact.manifest.files}

    def stamps(self) -> dict[str, _Stamp | None]:
        """What tells whether a file has been touched."""
        return {name: _stamp(self._artifact.path / name) for name in self._artifact.manifest.files}

    def check(self) -> None:
        """Raise ModelError for a file that is missing or is not the one that was built."""
        manifest = open_artifact(self._artifact.path).manifest
        if manifest.space != self._artifact.manifest.space:
            raise ModelError(f"{self._artifact.path} holds another model now ({manifest.space}).")
        for name, record in manifest.files.items():
            stamp = _stamp(self._artifact.path / name)
            if stamp != self._sound.get(name):
                _compare(self._artifact.path / name, record)
                self._sound[name] = stamp


class ModelInMemory:
    """Puts the loaded model through its self-test now and then, and when its files were touched: they are
    mapped into memory."""

    def __init__(self, encoder: Encoder, artifact: Artifact, files: ModelFiles) -> None:
        self._encoder = encoder
        self._artifact = artifact
        self._files = files
        self._tested = files.stamps()
        self._tested_at = monotonic()
        self._fault: ModelError | None = None

    def check(self) -> None:
        """Raise ModelError for a model that does not give its golden vectors any more."""
        stamps = self._files.stamps()
        if stamps != self._tested or monotonic() - self._tested_at >= SELF_TEST_EVERY_S:
            self._fault = self._found()
            self._tested, self._tested_at = stamps, monotonic()
        if self._fault is not None:
            raise self._fault

    def _found(self) -> ModelError | None:
        try:
            self_test(self._encoder, self._artifact)
        except ModelError as fault:
            return fault
        except RuntimeError as error:  # what a runtime raises whose weights are nonsense
            return ModelError(f"The model in memory does not run any more: {str(error).splitlines()[0]}")
        return None


def _stamp(file: Path) -> _Stamp | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _compare(file: Path, record: FileRecord) -> None:
    if sha256_of_file(file) != record.sha256:
        raise ModelError(f"{file} is not the file that was built: its SHA-256 differs.")
