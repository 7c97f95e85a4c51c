"""The CPU runtime, and the only door to OpenVINO."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino.frontend import FrontEndManager
from PIL import Image

from sightline.encoder import Vectors, Views
from sightline.encoder.artifact import (
    IMAGE_TOWER,
    INT8_IMAGE_TOWER,
    MULTILINGUAL_TOKENIZER,
    MULTILINGUAL_TOWER,
    TEXT_TOWER,
    TOKENIZER,
    Artifact,
    Manifest,
    TextHandling,
)
from sightline.encoder.preprocessing import prepare
from sightline.encoder.tokenization import TextTokenizer
from sightline.errors import ModelError
from sightline.settings import Precision

_VIEWS_AT_ONCE = 32
_TEXTS_AT_ONCE = 64
_PADDED_FROM = 0.75
"""Batches fuller than this are padded; the pictures of others are quicker one by one."""


class OpenVinoEncoder:
    """An encoder on the CPU. Both towers are loaded; each runs one batch at a time, on all its threads."""

    def __init__(
        self,
        artifact: Artifact,
        precision: Precision = Precision.AUTO,
        threads: int = 0,
        cache_dir: Path | None = None,
    ) -> None:
        """Load an artifact; `threads` 0 leaves the number to OpenVINO. Raises ModelError.

        With `cache_dir`, compiled towers are kept there and later loads are quicker.
        """
        self._manifest = artifact.manifest
        self._precision = choose_precision(artifact.manifest, precision, cpu_has_bf16())
        self._images_at_once = max(1, _VIEWS_AT_ONCE // len(artifact.manifest.preprocessing.views))
        options = _compile_options(self._precision, threads, cache_dir)
        self._image_tower: _Tower | _PaddedTower
        if self._precision is Precision.INT8:
            self._image_tower = _PaddedTower(artifact.path / INT8_IMAGE_TOWER, options, self._images_at_once)
        else:
            self._image_tower = _Tower(artifact.path / IMAGE_TOWER, options)
        self._texts = self._text_tower(artifact, TEXT_TOWER, TOKENIZER, artifact.manifest.text, options)
        self._multilingual: OpenVinoTextTower | None = None
        if (other := artifact.manifest.multilingual) is not None:
            self._multilingual = self._text_tower(
                artifact, MULTILINGUAL_TOWER, MULTILINGUAL_TOKENIZER, other.text, options
            )

    @property
    def manifest(self) -> Manifest:
        """What the model is."""
        return self._manifest

    @property
    def numerics(self) -> str:
        """`openvino-f32`, `openvino-bf16` or `openvino-int8`."""
        return f"openvino-{self._precision}"

    def encode_views(self, views: Views) -> Vectors:
        """Encode prepared pictures, uint8 (n, views, size, size, 3), in chunks of bounded memory."""
        chunks = [self._image_tower({"views": chunk}) for chunk in _chunks(views, self._images_at_once)]
        return self._joined(chunks)

    def encode_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        """Prepare and encode upright sRGB pictures."""
        spec = self._manifest.preprocessing
        chunks = [
            self._image_tower({"views": np.stack([prepare(picture, spec) for picture in chunk])})
            for chunk in _chunks(pictures, self._images_at_once)
        ]
        return self._joined(chunks)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts; those longer than the context are cut at its end."""
        return self._texts.encode_texts(texts)

    def exceeds_context(self, text: str) -> bool:
        """Whether the text tower sees only the beginning of `text`."""
        return self._texts.exceeds_context(text)

    @property
    def context_tokens(self) -> int:
        """How many tokens of a text the text tower sees."""
        return self._texts.context_tokens

    @property
    def multilingual(self) -> "OpenVinoTextTower | None":
        """The text tower for languages other than English, if the artifact has one."""
        return self._multilingual

    def _text_tower(
        self, artifact: Artifact, tower: str, tokenizer: str, handling: TextHandling, options: dict[str, Any]
    ) -> "OpenVinoTextTower":
        compiled = _Tower(artifact.path / tower, options)
        return OpenVinoTextTower(
            compiled, TextTokenizer(artifact.path / tokenizer, handling), self._manifest.dimension
        )

    def _joined(self, chunks: list[Vectors]) -> Vectors:
        return np.concatenate([np.empty((0, self._manifest.dimension), np.float32), *chunks])


class OpenVinoTextTower:
    """A text tower and its tokenizer."""

    def __init__(self, tower: "_Tower", tokenizer: TextTokenizer, dimension: int) -> None:
        self._tower = tower
        self._tokenizer = tokenizer
        self._dimension = dimension

    @property
    def context_tokens(self) -> int:
        """How many tokens of a text it sees."""
        return self._tokenizer.context_tokens

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts; those longer than the context are cut at its end."""
        vectors = np.empty((len(texts), self._dimension), np.float32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            chunk = vectors[start : start + _TEXTS_AT_ONCE]
            for batch in self._tokenizer.batches(texts[start : start + _TEXTS_AT_ONCE]):
                chunk[batch.rows] = self._tower({"input_ids": batch.ids, "attention_mask": batch.mask})
        return vectors

    def exceeds_context(self, text: str) -> bool:
        """Whether it sees only the beginning of `text`."""
        return self._tokenizer.exceeds_context(text)


class _Tower:
    """One compiled model with one infer request: its buffers are shared, hence the lock."""

    def __init__(self, path: Path, options: dict[str, Any], batch: int | None = None) -> None:
        try:
            compiled = openvino.Core().compile_model(_read(path, batch), "CPU", options)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot load {path}: {error}. Build the artifact again.") from error
        self._inputs = {name for port in compiled.inputs for name in port.names}
        self._request = compiled.create_infer_request()
        self._lock = Lock()

    def __call__(self, inputs: dict[str, NDArray[Any]]) -> Vectors:
        taken = {name: value for name, value in inputs.items() if name in self._inputs}
        with self._lock:
            outputs = self._request.infer(taken, share_inputs=True)
            return np.array(outputs[0], dtype=np.float32)


class _PaddedTower:
    """An image tower of two fixed batch sizes, 1 and `batch`, to which fewer pictures are padded.

    Tiles of int8 have crashed where the size of batches varies.
    """

    def __init__(self, path: Path, options: dict[str, Any], batch: int) -> None:
        self._single = _Tower(path, options, 1)
        self._batch = _Tower(path, options, batch)
        self._size = batch

    def __call__(self, inputs: dict[str, NDArray[Any]]) -> Vectors:
        views = inputs["views"]
        if len(views) < self._size * _PADDED_FROM:
            return np.concatenate(
                [self._single({"views": views[row : row + 1]}) for row in range(len(views))]
            )
        padded = np.zeros((self._size, *views.shape[1:]), views.dtype)
        padded[: len(views)] = views
        return self._batch({"views": padded})[: len(views)]


def _read(path: Path, batch: int | None) -> Any:
    if batch is None:
        return path
    model = openvino.Core().read_model(path)
    model.reshape({port: [batch, *list(port.partial_shape)[1:]] for port in model.inputs})
    return model


def rewrite_tower(path: Path, out: Path, change: Callable[[Any], Any]) -> None:
    """Save what `change` makes of a tower whose batches are fixed to one; raises RuntimeError."""
    openvino.save_model(change(_read(path, batch=1)), out)


def cpu_has_bf16() -> bool:
    """Whether OpenVINO computes in bfloat16 on this CPU rather than emulating it."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def choose_precision(manifest: Manifest, asked: Precision, bf16: bool) -> Precision:
    """The precision to run at; `auto` is the manifest's choice if the CPU has it, else f32.

    Raises ModelError if the asked one was not judged fit for the model, or the CPU (`bf16`) lacks it.
    """
    if asked is Precision.AUTO:
        wanted = manifest.default_precision
        return wanted if wanted is not Precision.BF16 or bf16 else Precision.F32
    if asked is Precision.INT8 and manifest.checks.int8 is None:
        raise ModelError(
            f"The artifact of model {manifest.name} has no int8: build it again with `sightline model build "
            f"--precision int8`, or set SIGHTLINE_PRECISION to auto."
        )
    if asked not in manifest.precisions:
        raise ModelError(
            f"Model {manifest.name} loses too much in {asked}: set SIGHTLINE_PRECISION to auto or f32."
        )
    if asked is Precision.BF16 and not bf16:
        raise ModelError("This CPU does not compute in bf16: set SIGHTLINE_PRECISION to auto or f32.")
    return asked


def save_tower(
    module: Any, example: dict[str, Any], shapes: dict[str, list[int]], path: Path, fp16_weights: bool
) -> None:
    """Convert a torch module to OpenVINO IR, with weights in half precision or as they are.

    `example` holds its inputs by name as tensors, `shapes` their shapes with -1 where the size varies.
    Raises RuntimeError if OpenVINO cannot convert the module.
    """
    # openvino.convert_model would report its use to an analytics service; the frontend below it does not
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # imports torch

    frontend = FrontEndManager().load_by_framework("pytorch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every Python branch it passes
        decoder = TorchScriptPythonDecoder(module, example_input=example)
    converted = frontend.convert(frontend.load(decoder))
    converted.reshape({name: openvino.PartialShape(shape) for name, shape in shapes.items()})
    openvino.save_model(converted, path, compress_to_fp16=fp16_weights)


def _compile_options(precision: Precision, threads: int, cache_dir: Path | None) -> dict[str, Any]:
    if precision is Precision.INT8:  # What is not quantized: the text tower, and parts of the other.
        precision = Precision.BF16 if cpu_has_bf16() else Precision.F32
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision.value}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    if cache_dir:
        options["CACHE_DIR"] = str(cache_dir)
    return options


def _chunks(items: Any, size: int) -> Iterator[Any]:
    return (items[start : start + size] for start in range(0, len(items), size))
