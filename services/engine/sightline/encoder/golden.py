"""Golden inputs and the reference's vectors for them: what a loaded model is tested against."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from sightline.errors import ModelError


@dataclass(frozen=True)
class Golden:
    """Inputs and vectors recorded from the reference implementation in float32.

    `views`: uint8 (n, views, size, size, 3). `image_vectors`: float32 (n, d). `texts`: m strings.
    `text_vectors`: float32 (m, d). Rows have length 1.
    """

    views: NDArray[np.uint8]
    image_vectors: NDArray[np.float32]
    texts: tuple[str, ...]
    text_vectors: NDArray[np.float32]

    def write(self, path: Path) -> None:
        """Write to an .npz file; raises OSError."""
        np.savez_compressed(
            path,
            views=self.views,
            image_vectors=self.image_vectors,
            texts=np.array(self.texts),
            text_vectors=self.text_vectors,
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote; raises ModelError if the file is not one of these."""
        with _reading(path) as arrays:
            return cls(
                views=arrays["views"],
                image_vectors=arrays["image_vectors"],
                texts=tuple(str(text) for text in arrays["texts"]),
                text_vectors=arrays["text_vectors"],
            )


@dataclass(frozen=True)
class GoldenTexts:
    """The same of a text tower alone: m strings, and their vectors, float32 (m, d), rows of length 1."""

    texts: tuple[str, ...]
    vectors: NDArray[np.float32]

    def write(self, path: Path) -> None:
        """Write to an .npz file; raises OSError."""
        np.savez_compressed(path, texts=np.array(self.texts), vectors=self.vectors)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote; raises ModelError if the file is not one of these."""
        with _reading(path) as arrays:
            return cls(tuple(str(text) for text in arrays["texts"]), arrays["vectors"])


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise ModelError(
            f"The golden vectors in {path} cannot be read: {error}. Build the artifact again."
        ) from error
