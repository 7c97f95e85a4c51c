"""Where an archive is: a file in an import root, or at a URL."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sightline.file_uri import uri_of
from sightline.queue.sources import ArchiveSource
from sightline_embedder.errors import SourceError
from sightline_embedder.sources.local_file import open_local_file
from sightline_embedder.sources.remote_file import RemoteFiles


@dataclass(frozen=True)
class ArchivePlace:
    """An archive that is opened when it is listed; `open` gives a seekable file."""

    uri: str
    open: Callable[[], AbstractContextManager[BinaryIO]]


def archive_place(source: ArchiveSource, roots: Sequence[Path], remote_files: RemoteFiles) -> ArchivePlace:
    """The place that a job names. Opening it raises as `open_local_file` and RemoteFiles do."""
    if source.url is not None:
        url = source.url.partition("#")[0]
        return ArchivePlace(url, lambda: remote_files(url))
    path = Path(source.path or "")
    if not path.is_absolute():
        raise SourceError("path_not_allowed", f"Archive '{path}' is not named by an absolute path.")
    return ArchivePlace(uri_of(path), lambda: open_local_file(path, roots))
