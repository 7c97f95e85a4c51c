"""From what a job names to the lister of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sightline.buckets import Buckets
from sightline.media import MediaStore
from sightline.payload import FieldType
from sightline.queue.jobs import Job
from sightline.queue.ledger import Ledger
from sightline.queue.sources import (
    ArchiveSource,
    BucketSource,
    DuplicatesSource,
    ExportTarget,
    FolderSource,
    ManifestSource,
    MigrationSource,
    PointsSource,
    RecordedSource,
)
from sightline.settings import Settings
from sightline_embedder.progress import OnProgress, no_progress
from sightline_embedder.remotes import Remotes
from sightline_embedder.sources import Source
from sightline_embedder.sources.archives.limits import ArchiveLimits
from sightline_embedder.sources.archives.listing import ArchiveListing
from sightline_embedder.sources.archives.places import archive_place
from sightline_embedder.sources.bucket import BucketListing
from sightline_embedder.sources.download_turns import DownloadTurns
from sightline_embedder.sources.downloads import Downloads
from sightline_embedder.sources.folder import FolderListing
from sightline_embedder.sources.manifests.listing import ManifestListing
from sightline_embedder.sources.manifests.places import manifest_place
from sightline_embedder.sources.recorded import RecordedListing
from sightline_embedder.sources.remote_file import RemoteFiles


@dataclass(frozen=True)
class SourceOpener:
    """Opens the sources of jobs, each with what it may reach."""

    ledger: Ledger
    media: MediaStore
    buckets: Buckets
    remote_files: RemoteFiles
    turns: DownloadTurns
    import_roots: Sequence[Path]
    archive_limits: ArchiveLimits
    metadata_fields: Mapping[str, FieldType]

    @classmethod
    def of(
        cls,
        settings: Settings,
        ledger: Ledger,
        media: MediaStore,
        remotes: Remotes,
        on_progress: OnProgress = no_progress,
    ) -> Self:
        """An opener within what the settings allow; `on_progress` is told how downloads go on."""
        turns = DownloadTurns()
        return cls(
            ledger=ledger,
            media=media,
            buckets=remotes.buckets,
            remote_files=Downloads.of(settings, remotes.fetcher, remotes.buckets, turns, on_progress),
            turns=turns,
            import_roots=settings.import_roots,
            archive_limits=ArchiveLimits.of(settings),
            metadata_fields=settings.metadata_fields,
        )

    def open(self, job: Job) -> Source:
        """The lister of a job's source; raises SourceError for what may not be opened at all."""
        match job.request.source:
            case FolderSource(path=path, recursive=recursive):
                return FolderListing(Path(path), recursive=recursive, roots=self.import_roots)
            case RecordedSource():
                return RecordedListing(self.ledger, job.id)
            case BucketSource(url=url):
                return BucketListing(url, self.buckets)
            case ArchiveSource() as archive:
                return ArchiveListing(
                    archive_place(archive, self.import_roots, self.remote_files),
                    collection=job.request.collection,
                    media=self.media,
                    limits=self.archive_limits,
                )
            case ManifestSource() as manifest:
                return ManifestListing(
                    manifest_place(manifest, self.import_roots, self.remote_files),
                    image_column=manifest.image_column,
                    fields=self.metadata_fields,
                )
            case DuplicatesSource() | MigrationSource() | ExportTarget() | PointsSource() as other:
                raise AssertionError(f"a job of the kind {other.kind} lists no pictures")
