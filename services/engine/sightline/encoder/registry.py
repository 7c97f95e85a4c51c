"""Opening encoders by runtime, and keeping those of a process by the space of their vectors."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import structlog

from sightline.encoder import Encoder
from sightline.encoder.artifact import MANIFEST, Artifact, open_artifact
from sightline.encoder.self_test import self_test
from sightline.errors import ModelError
from sightline.settings import Precision, Runtime, Settings

IDLE_S = 600.0
"""A model that nobody has asked for in so long is unloaded, except the one that the settings name."""
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


def open_encoder(path: Path, settings: Settings, cache_dir: Path | None = None) -> Encoder:
    """Load the artifact in `path` on the runtime that the settings name, and put it through its self-test.

    `cache_dir`: where compiled towers are kept for quicker starts. Raises ModelError.
    """
    artifact = open_artifact(path)
    encoder = _load(artifact, settings, cache_dir)
    self_test(encoder, artifact)
    return encoder


@dataclass(frozen=True)
class Model:
    """A model on disk, and in memory."""

    artifact: Artifact
    encoder: Encoder
    of_new_collections: bool = False
    """Whether it is the one that the settings name, in the precision that they name."""


@dataclass
class _Loaded(Generic[_T]):
    value: _T
    used_at: float


class ModelRegistry(Generic[_T]):
    """What a process makes of models, by the space of their vectors. Safe to use from several threads.

    The model that the settings name is loaded at once and stays. Others are found in the folder of models
    when they are first asked for, and go again when nobody asks any more.
    """

    def __init__(self, settings: Settings, make: Callable[[Model], _T]) -> None:
        """`make` gives what is kept of a loaded model; raises ModelError as `open_encoder` does."""
        if settings.model is None:
            raise ModelError("SIGHTLINE_MODEL is not set: it names the folder of a model artifact.")
        self._settings = settings
        self._make = make
        self._folder = settings.models_folder
        self._lock = Lock()
        self._loading: dict[tuple[str, Precision | None], Lock] = {}
        artifact = open_artifact(Path(settings.model))
        self.default = Model(artifact, open_encoder(artifact.path, settings), of_new_collections=True)
        """The model of new collections."""
        self._default_key: tuple[str, Precision | None] = (artifact.manifest.space, None)
        self._loaded: dict[tuple[str, Precision | None], _Loaded[_T]] = {
            self._default_key: _Loaded(make(self.default), time.monotonic())
        }

    @property
    def of_new_collections(self) -> _T:
        """What is kept of the model that the settings name."""
        return self._loaded[self._default_key].value

    def get(self, space: str, precision: Precision | None = None) -> _T:
        """What is kept of the model that makes vectors of `space`, loaded now if it is not yet.

        Raises ModelError if there is no such model here.
        """
        key = (space, precision)
        with self._lock:
            held = self._loaded.get(key)
            if held is not None:
                held.used_at = time.monotonic()
                return held.value
            loading = self._loading.setdefault(key, Lock())
        with loading:
            with self._lock:
                held = self._loaded.get(key)
            if held is None:
                held = _Loaded(self._make(self._opened(space, precision)), time.monotonic())
                with self._lock:
                    self._loaded[key] = held
        self.unload_idle()
        return held.value

    def artifact_of(self, space: str, precision: Precision | None = None) -> Artifact:
        """The model on disk that makes vectors of `space`; raises ModelError if there is none here."""
        found = [one for one in self.artifacts().values() if one.manifest.space == space]
        fitting = [one for one in found if precision in (None, *one.manifest.precisions, Precision.AUTO)]
        if fitting:
            return fitting[0]
        with_precision = f" in {precision}" if found else ""
        raise ModelError(
            f"No model that makes vectors of space {space}{with_precision} is in {self._folder}. Put its "
            f"artifact into a folder there, or set SIGHTLINE_MODELS_DIR to where it is."
        )

    def named(self, name: str) -> Artifact:
        """The model in the folder `name` of the folder of models; raises ModelError."""
        if _FOLDER_NAME.fullmatch(name) and (found := self.artifacts().get(name)) is not None:
            return found
        known = ", ".join(sorted(self.artifacts()))
        raise ModelError(
            f"There is no model '{name[:60]}' in {self._folder}; there are: {known}. Build one with "
            f"`sightline model build`."
        )

    def artifacts(self) -> Mapping[str, Artifact]:
        """The models on disk that can be read, by the names of their folders."""
        return dict(self._found())

    def unload_idle(self, idle_s: float = IDLE_S) -> None:
        """Let go of models that nobody has asked for in a while."""
        before = time.monotonic() - idle_s
        with self._lock:
            for key, held in list(self._loaded.items()):
                if key != self._default_key and held.used_at < before:
                    del self._loaded[key]
                    _log.info("model_unloaded", space=key[0], precision=key[1])

    def _found(self) -> Iterator[tuple[str, Artifact]]:
        places = sorted(self._folder.glob(f"*/{MANIFEST}")) if self._folder is not None else []
        for place in places:
            try:
                yield place.parent.name, open_artifact(place.parent)
            except ModelError as error:
                _log.debug("artifact_unusable", folder=str(place.parent), detail=str(error))
        # Last, so that no other folder of the same name takes its place.
        yield self.default.artifact.path.name, self.default.artifact

    def _opened(self, space: str, precision: Precision | None) -> Model:
        began = time.monotonic()
        artifact = self.artifact_of(space, precision)
        changed = {} if precision is None else {"precision": precision}
        encoder = open_encoder(artifact.path, self._settings.model_copy(update=changed))
        seconds = round(time.monotonic() - began, 1)
        _log.info("model_loaded", model=artifact.manifest.name, numerics=encoder.numerics, seconds=seconds)
        return Model(artifact, encoder)


def _load(artifact: Artifact, settings: Settings, cache_dir: Path | None) -> Encoder:
    if settings.runtime is Runtime.TORCH:
        if artifact.manifest.family == "starter":
            raise ModelError("The starter model runs on OpenVINO alone: set SIGHTLINE_RUNTIME=openvino.")
        from sightline.encoder.torch import SentenceTransformersEncoder

        return SentenceTransformersEncoder(artifact)
    from sightline.encoder.openvino import OpenVinoEncoder

    return OpenVinoEncoder(artifact, settings.precision, settings.encoder_threads, cache_dir)
