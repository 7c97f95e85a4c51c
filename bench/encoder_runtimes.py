"""The encoders that are compared. Each imports its library when it is loaded: one process holds one."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.prepared_pictures import PreparedPictures
from sightline.settings import Precision

BATCH = 32


class Runtime(Protocol):
    """One model, loaded, with the pictures that it encodes again and again."""

    def encode(self) -> NDArray[np.float32]:
        """Encode every picture once: float32, shape (n, dimension), rows of length 1."""

    def encode_text(self, text: str) -> NDArray[np.float32]:
        """Encode one text; raises NotImplementedError where only the image tower was loaded."""


class OpenVino:
    """Sightline's encoder, from its artifact."""

    def __init__(self, artifact: Path, pictures: PreparedPictures, precision: Precision) -> None:
        from sightline.encoder.artifact import open_artifact
        from sightline.encoder.openvino import OpenVinoEncoder

        self._encoder = OpenVinoEncoder(open_artifact(artifact), precision)
        self._views = pictures.pixels[:, None]

    def encode(self) -> NDArray[np.float32]:
        return self._encoder.encode_views(self._views)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        return self._encoder.encode_texts([text])


class SentenceTransformers:
    """What most people call: `encode` of Pillow images, which it prepares itself."""

    def __init__(self, weights: Path, pictures: PreparedPictures) -> None:
        self._model = sentence_transformer(weights)
        self._images = [Image.fromarray(one) for one in pictures.pixels]

    def encode(self) -> NDArray[np.float32]:
        return _encoded(self._model, self._images)

    def encode_text(self, text: str) -> NDArray[np.float32]:
        return _encoded(self._model, [text])


class Torch:
    """The same network, given normalised pixels."""

    def __init__(self, weights: Path, pictures: PreparedPictures) -> None:
        import torch

        self._torch = torch
        self._model = sentence_transformer(weights)
        self._pixels = torch.from_numpy(pictures.normalised())

    def encode(self) -> NDArray[np.float32]:
        with self._torch.inference_mode():
            parts = (self._pixels[at : at + BATCH] for at in range(0, len(self._pixels), BATCH))
            found = [self._model(image_features(part))["sentence_embedding"] for part in parts]
            return _unit(self._torch.cat(found).numpy())

    def encode_text(self, text: str) -> NDArray[np.float32]:
        raise NotImplementedError


class OnnxRuntime:
    """The image tower as ONNX, given normalised pixels."""

    def __init__(self, onnx_file: Path, pictures: PreparedPictures) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
        self._pixels = pictures.normalised()

    def encode(self) -> NDArray[np.float32]:
        parts = range(0, len(self._pixels), BATCH)
        found = [self._session.run(None, {"pixels": self._pixels[at : at + BATCH]})[0] for at in parts]
        return _unit(np.concatenate(found))

    def encode_text(self, text: str) -> NDArray[np.float32]:
        raise NotImplementedError


def load_runtime(name: str, source: Path, pictures: PreparedPictures) -> Runtime:
    """`openvino-f32`, `openvino-bf16` and `openvino-int8` from an artifact, `sentence-transformers` and
    `torch-f32` from weights, `onnxruntime-f32` from an ONNX file."""
    match name.split("-"):
        case ["openvino", precision]:
            return OpenVino(source, pictures, Precision(precision))
        case ["sentence", "transformers"]:
            return SentenceTransformers(source, pictures)
        case ["torch", "f32"]:
            return Torch(source, pictures)
        case ["onnxruntime", "f32"]:
            return OnnxRuntime(source, pictures)
    raise ValueError(f"There is no runtime named {name}.")


def sentence_transformer(weights: Path) -> Any:
    """The model, in float32 on the CPU."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(weights), device="cpu", local_files_only=True)


def image_features(pixels: Any) -> dict[str, Any]:
    """What the model is given in place of what it prepares by itself."""
    return {"pixel_values": pixels, "modality": "image"}


def _encoded(model: Any, inputs: list[Any]) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = model.encode(
        inputs, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
    )
    return vectors


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
