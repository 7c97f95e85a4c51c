"""Files that are seen whole or not at all, even when a writer is killed half-way."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from types import TracebackType
from typing import Self

from sightline.errors import StorageFull, Unavailable

_FOLDER_MODE = 0o700
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class AtomicFile:
    """A new file, readable by its owner only, without a name that anyone reads until `finish`.

    A context manager: on leaving it, what was not finished is removed. Every method raises
    StorageFull when the disk is full and Unavailable when it fails, in the name of `service`.
    """

    def __init__(self, service: str, unfinished: Path) -> None:
        """Begin a file in the folder `unfinished`, on the same file system as its later path."""
        self._service = service
        with unavailable_when_failing(service):
            try:
                descriptor, name = mkstemp(dir=unfinished)
            except FileNotFoundError:
                make_folder(unfinished)
                descriptor, name = mkstemp(dir=unfinished)
            self._file = os.fdopen(descriptor, "wb")
            self._path = Path(name)
        self._finished = False

    @property
    def path(self) -> Path:
        """Where it is until it is finished."""
        return self._path

    def write(self, data: bytes) -> None:
        """Append `data`."""
        with unavailable_when_failing(self._service):
            self._file.write(data)

    def seal(self, *, durable: bool) -> None:
        """End writing, so that the file keeps no descriptor; `durable` waits until the disk has it."""
        with unavailable_when_failing(self._service):
            if self._file.closed:
                return
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
            self._file.close()

    def finish(self, path: Path, *, durable: bool) -> None:
        """Give the file its name, replacing what had it; `durable` waits until the disk has both."""
        self.seal(durable=durable)
        with unavailable_when_failing(self._service):
            make_folder(path.parent, durable=durable)
            self._path.replace(path)
            self._finished = True
            if durable:
                sync_names(path.parent)

    def discard(self) -> None:
        """Remove the file, unless it is finished; doing it twice does no harm."""
        if self._finished:
            return
        try:
            self._file.close()
        except OSError:
            pass  # Closing writes what is still buffered, and nobody wants that any more.
        finally:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


@contextmanager
def unavailable_when_failing(service: str) -> Iterator[None]:
    """Turn what the operating system says about files into Unavailable, or StorageFull."""
    try:
        yield
    except OSError as error:
        kind = StorageFull if error.errno in _NO_ROOM else Unavailable
        raise kind(service, f"{error.strerror or error} ({error.filename or 'while writing'}).") from error


def make_folder(folder: Path, *, durable: bool = True) -> None:
    """Make a folder and those above it that are missing, for their owner only; raises OSError.

    `durable` waits until the disk has them.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent, durable=durable)
    folder.mkdir(_FOLDER_MODE, exist_ok=True)
    if durable:
        sync_names(folder.parent)


def sync_names(folder: Path) -> None:
    """Wait until the disk has the names of what is in a folder; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
