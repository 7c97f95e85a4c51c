"""Which jobs are exports and imports."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from sightline.queue.jobs import Job
from sightline.queue.sources import ExportTarget, PointsSource
from sightline_embedder.portable.exporting import CollectionExport
from sightline_embedder.portable.importing import PointsImport
from sightline_embedder.steps import Step

PortableSteps: TypeAlias = Callable[[Job, str | None], Iterator[Step] | None]
"""The steps of an export or an import after a cursor, None for any other job."""


@dataclass(frozen=True)
class PortableJobs:
    """Exports and imports of one embedder."""

    exports: CollectionExport
    imports: PointsImport

    def steps(self, job: Job, after: str | None) -> Iterator[Step] | None:
        """See PortableSteps."""
        match job.request.source:
            case ExportTarget() as asked:
                return self.exports.steps(job, asked, after)
            case PointsSource() as asked:
                return self.imports.steps(job, asked, after)
            case _:
                return None
