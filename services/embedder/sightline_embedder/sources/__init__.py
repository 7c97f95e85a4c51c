"""Sources list the pictures of a job, lazily and in an order that can be taken up again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sightline.queue.messages import FolderSource, JobSource, UploadSource


@dataclass(frozen=True)
class Listed:
    """One picture found; listing goes on after `cursor`."""

    uri: str
    cursor: str
    sha256: str | None = None
    metadata: dict[str, object] | None = None


class Source(Protocol):
    """A place that pictures come from."""

    def list(self, after: str | None) -> Iterator[Listed]:
        """Every picture after the cursor `after` (None: from the start), always in the same order.

        Raises SourceError when the place as a whole cannot be listed.
        """


def open_source(source: JobSource, import_roots: tuple[Path, ...]) -> Source:
    """The lister for what a job names."""
    from sightline_embedder.sources.folder import FolderListing
    from sightline_embedder.sources.upload import UploadListing

    match source:
        case FolderSource():
            return FolderListing(Path(source.path), recursive=source.recursive, roots=import_roots)
        case UploadSource():
            return UploadListing(source.files)
