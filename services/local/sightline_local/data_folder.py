"""The data folder of an embedded stack: where everything lies, and that only one stack uses it."""

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sightline_local.errors import StartError


@dataclass(frozen=True)
class DataFolder:
    """Places below one folder."""

    root: Path

    @property
    def redis(self) -> Path:
        """Redis' append-only file."""
        return self.root / "redis"

    @property
    def index(self) -> Path:
        """The shards of the vector index."""
        return self.root / "index"

    @property
    def models(self) -> Path:
        """Model artifacts, one folder each."""
        return self.root / "models"

    @property
    def runtime(self) -> Path:
        """Where this folder's sockets are.

        Not below `root`: the path of a socket has about 100 characters at most.
        """
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"sightline-{os.getuid()}-{digest}"

    @property
    def index_socket(self) -> Path:
        """Where the index process listens."""
        return self.runtime / "index.sock"


def data_folder_at(path: Path) -> DataFolder:
    """The data folder at a path, as it is."""
    return DataFolder(path.expanduser().resolve())


@contextmanager
def open_data_folder(path: Path) -> Iterator[DataFolder]:
    """Make the folder, and hold it for this process alone; raises StartError."""
    folder = data_folder_at(path)
    try:
        for place in (folder.root, folder.redis, folder.index, folder.models):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(
            f"Data folder {folder.root} cannot be written: {error.strerror}. Choose another with --data."
        ) from error
    try:
        _take(lock, folder.root)
        _make_private(folder.runtime)
        yield folder
    finally:
        os.close(lock)


def _take(lock: int, root: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise StartError(
            f"Another Sightline is running on data folder {root}. Stop it, or choose another with --data."
        ) from error


def _make_private(folder: Path) -> None:
    """Make the folder, or make sure that nobody else made it first."""
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise StartError(
            f"{folder} belongs to somebody else or is open to others. Remove it and start again."
        )
