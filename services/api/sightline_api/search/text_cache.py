"""The vectors of recent texts."""

from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_MIB = 1 << 20
_ENTRY_BYTES = 512
"""What Python keeps for an entry beside the text and the numbers."""


class TextKey(NamedTuple):
    """What decides the vector of a text: the model (`space`), its arithmetic, which tower, and the text."""

    space: str
    numerics: str
    tower: str
    text: str


class TextVectorCache:
    """Forgets the least recently used entry first. Safe to call from several threads."""

    def __init__(self, entries: int, max_bytes: int = 64 * _MIB) -> None:
        """Hold at most `entries` vectors in at most `max_bytes`; with no entries nothing is kept."""
        self._most = entries
        self._max_bytes = max_bytes
        self._vectors: OrderedDict[TextKey, NDArray[np.float32]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: TextKey) -> NDArray[np.float32] | None:
        """The vector, read-only, shape (dimension,), or None."""
        with self._lock:
            vector = self._vectors.get(key)
            if vector is not None:
                self._vectors.move_to_end(key)
            return vector

    def put(self, key: TextKey, vector: NDArray[np.float32]) -> None:
        """Keep a vector, which nobody may change any more."""
        vector.flags.writeable = False
        with self._lock:
            replaced = self._vectors.pop(key, None)
            if replaced is not None:
                self._bytes -= _size(key, replaced)
            self._vectors[key] = vector
            self._bytes += _size(key, vector)
            while len(self._vectors) > self._most or self._bytes > self._max_bytes:
                self._bytes -= _size(*self._vectors.popitem(last=False))

    def __len__(self) -> int:
        """The number of vectors kept."""
        return len(self._vectors)


def _size(key: TextKey, vector: NDArray[np.float32]) -> int:
    # Four bytes is the most that Python takes for a character.
    return 4 * len(key.text) + vector.nbytes + _ENTRY_BYTES
