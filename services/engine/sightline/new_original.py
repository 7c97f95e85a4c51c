"""An original on its way into the media store, chunk by chunk."""

from collections.abc import Callable
from hashlib import sha256 as new_sha256
from types import TracebackType
from typing import Self

from sightline.atomic_files import AtomicFile
from sightline.errors import BadPicture, FailureReason


class NewOriginal:
    """Bytes whose hash is not known yet, and which nobody reads until they are kept.

    A context manager: on leaving it, what was not kept is removed. Not safe to use from two threads at
    once; one after another is fine. Writing raises StorageFull and Unavailable as AtomicFile does.
    """

    def __init__(self, file: AtomicFile, keep: Callable[[AtomicFile, str], None], max_bytes: int) -> None:
        """`keep` gives the file, which is complete, the place of the original with a SHA-256."""
        self._file = file
        self._keep = keep
        self._max_bytes = max_bytes
        self._size = 0
        self._digest = new_sha256()

    def write(self, data: bytes) -> None:
        """Append `data`; raises BadPicture(TOO_MANY_BYTES)."""
        self._size += len(data)
        if self._size > self._max_bytes:
            raise BadPicture(
                FailureReason.TOO_MANY_BYTES, f"The file has more than {self._max_bytes:,} bytes, the limit."
            )
        self._digest.update(data)
        self._file.write(data)

    def complete(self) -> str:
        """Wait until the disk has it all; its SHA-256. From here on it holds no descriptor."""
        self._file.seal(durable=True)
        return self._digest.hexdigest()

    def keep(self) -> None:
        """Give it its place; once this returns it survives a loss of power."""
        self._keep(self._file, self.complete())

    def discard(self) -> None:
        """Remove it, unless it is kept."""
        self._file.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()
