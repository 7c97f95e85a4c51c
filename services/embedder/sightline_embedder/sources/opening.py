"""From what a job names to the lister of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.media import MediaStore
from sightline.queue.jobs import Job
from sightline.queue.ledger import Ledger
from sightline.queue.sources import FolderSource, RecordedSource
from sightline_embedder.sources import Source
from sightline_embedder.sources.folder import FolderListing
from sightline_embedder.sources.recorded import RecordedListing


@dataclass(frozen=True)
class SourceOpener:
    """Opens the sources of jobs, each with what it may reach."""

    ledger: Ledger
    media: MediaStore
    import_roots: Sequence[Path]

    def open(self, job: Job) -> Source:
        """The lister of a job's source."""
        match job.request.source:
            case FolderSource() as source:
                return FolderListing(Path(source.path), recursive=source.recursive, roots=self.import_roots)
            case RecordedSource():
                return RecordedListing(self.ledger, job.id)
            case source:
                raise NotImplementedError(source.kind)
