"""Files that are seen whole or not at all, even when a writer is killed half-way."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from types import TracebackType
from typing import Self

from sightline.errors import Unavailable

_FOLDER_MODE = 0o700


class AtomicFile:
    """A new file, readable by its owner only, without a name that anyone reads until `finish`.

    A context manager: on leaving it, what was not finished is removed. Every method raises
    Unavailable, in the name of `service`, when the disk is full or fails.
    """

    def __init__(self, service: str, unfinished: Path) -> None:
        """Begin a file in the folder `unfinished`, on the same file system as its later path."""
        self._service = service
        with unavailable_when_failing(service):
            make_folder(unfinished)
            descriptor, name = mkstemp(dir=unfinished)
            self._file = os.fdopen(descriptor, "wb")
            self._path = Path(name)
        self._finished = False

    def write(self, data: bytes) -> None:
        """Append `data`."""
        with unavailable_when_failing(self._service):
            self._file.write(data)

    def finish(self, path: Path, *, durable: bool) -> None:
        """Give the file its name, replacing what had it; `durable` waits until the disk has it."""
        with unavailable_when_failing(self._service):
            make_folder(path.parent)
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
            self._path.replace(path)
            self._finished = True
            if durable:
                _sync_folder(path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError:
            # Closing writes what is still buffered; `finish` has done so before for a file that counts.
            if self._finished:
                raise
        finally:
            if not self._finished:
                self._path.unlink(missing_ok=True)


@contextmanager
def unavailable_when_failing(service: str) -> Iterator[None]:
    """Turn what the operating system says about files into Unavailable."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            service, f"{error.strerror or error} ({error.filename or 'while writing'})."
        ) from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, for their owner only; raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(_FOLDER_MODE, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
