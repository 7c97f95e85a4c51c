"""An export of a collection: its points go to files, one file a step, and the manifest last.

The folder itself says how far the export is, in a manifest that is not finished, so that any embedder goes on
after a crash with the file that was begun.
"""

import hashlib
import io
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from sightline.atomic_files import AtomicFile, make_folder, unavailable_when_failing
from sightline.disk_room import check_disk_room
from sightline.errors import CollectionNotFound, MediaNotFound
from sightline.index import CollectionInfo, StoredPoint, VectorIndex
from sightline.media import MediaStore
from sightline.portable.manifest import MANIFEST, ExportManifest, PointsFile
from sightline.portable.places import PortablePlaces
from sightline.queue.jobs import Job
from sightline.queue.ledger import Ledger
from sightline.queue.sources import ExportTarget
from sightline.roots import within_roots
from sightline_embedder.errors import PlannedElsewhere, SourceError
from sightline_embedder.portable.points_file import PointsWriter
from sightline_embedder.prefetching import prefetched
from sightline_embedder.steps import Step

POINTS_PER_FILE = 10_000
_ROWS_PER_GROUP = 1_000
_UNFINISHED = ".unfinished"
_DRAFT = ".export.json.unfinished"
_DONE = "done"
_SERVICE = "The folder of the export"


class CollectionExport:
    """Exports of collections. Safe to call from several threads.

    Every method raises Unavailable when the index or a disk does not answer, and StorageFull.
    """

    def __init__(
        self,
        index: VectorIndex,
        media: MediaStore,
        ledger: Ledger,
        places: PortablePlaces,
        *,
        roots: Sequence[Path],
        min_free_bytes: int,
        points_per_file: int = POINTS_PER_FILE,
    ) -> None:
        """`roots`: the folders below which an export may be written, beside those of `places`."""
        self._index = index
        self._media = media
        self._ledger = ledger
        self._places = places
        self._roots = roots
        self._min_free_bytes = min_free_bytes
        self._points_per_file = points_per_file

    def steps(self, job: Job, asked: ExportTarget, after: str | None) -> Iterator[Step]:
        """The steps after a cursor; doing one twice equals doing it once.

        Raises SourceError: `path_not_allowed`, `export_exists` for a folder that holds something else,
        `collection_not_found`, and `collection_changed` where another model's vectors took the place of those
        that the export began with.
        """
        if after == _DONE:
            return
        number, _, last = (after or "0 ").partition(" ")
        folder = self._folder(job, asked)
        if after is None:
            _claim(folder, job.id)
        draft = self._draft(job, asked, folder, int(number))
        if draft is not None:
            yield from self._files(job, folder, draft, after, last or None)
        yield Step(_DONE)

    def _folder(self, job: Job, asked: ExportTarget) -> Path:
        if asked.path is None:
            return self._places.export(job.id)
        path = Path(asked.path)
        if not path.is_absolute() or not within_roots(path, self._roots):
            raise SourceError(
                "path_not_allowed", f"Folder {path} is not inside any of SIGHTLINE_EXPORT_ROOTS."
            )
        return path

    def _draft(self, job: Job, asked: ExportTarget, folder: Path, files: int) -> ExportManifest | None:
        """The manifest of the first so many files; None for an export that is finished."""
        finished = _read(folder / MANIFEST)
        if finished is not None and finished.job == job.id:
            return None  # Before a crash that the ledger knows nothing of.
        held = _read(folder / _DRAFT)
        if held is not None and held.job == job.id and len(held.files) >= files:
            return held.with_files(held.files[:files])
        if files:
            raise SourceError(
                "export_exists",
                f"{folder} does not hold what this export has written until now. Either somebody changed "
                f"it, or embedders on several machines take turns and do not share it: name a folder that "
                f"all of them reach under this path.",
            )
        draft = _new_draft(job, self._described(job.request.collection), asked)
        _write_manifest(folder, _DRAFT, draft)
        return draft

    def _described(self, collection: str) -> CollectionInfo:
        try:
            return self._index.collection(collection)
        except CollectionNotFound as error:
            raise SourceError("collection_not_found", str(error)) from error

    def _files(
        self, job: Job, folder: Path, draft: ExportManifest, cursor: str | None, last: str | None
    ) -> Iterator[Step]:
        while True:
            check_disk_room(_SERVICE, folder, self._min_free_bytes)
            name = f"points-{len(draft.files):05}.parquet"
            with AtomicFile(_SERVICE, folder / _UNFINISHED) as file:
                written = self._write(file, name, draft, last)
                if written is None:
                    break
                self._check_turn(job, cursor)
                file.finish(folder / name, durable=True)
            made, last = written
            draft = draft.with_files((*draft.files, made))
            _write_manifest(folder, _DRAFT, draft)
            cursor = f"{len(draft.files)} {last}"
            yield Step(cursor, unchanged=made.points)
            if made.points < self._points_per_file:
                break
        self._check_turn(job, cursor)
        _write_manifest(folder, MANIFEST, draft)
        with unavailable_when_failing(_SERVICE):
            (folder / _DRAFT).unlink(missing_ok=True)
            shutil.rmtree(folder / _UNFINISHED, ignore_errors=True)

    def _check_turn(self, job: Job, cursor: str | None) -> None:
        """Raise PlannedElsewhere for a planner that was held up, so long that another took its place.

        The manifest of that one names what it wrote: nothing else may take the place of its files.
        """
        if self._ledger.plan_state(job.id).cursor != cursor:
            raise PlannedElsewhere(job.id)

    def _write(
        self, file: AtomicFile, name: str, draft: ExportManifest, after: str | None
    ) -> tuple[PointsFile, str] | None:
        """Write the points beyond an id into a file: what it is then, and its last id; None without any."""
        count, last, hashed = 0, "", _HashedFile(file)
        with PointsWriter(hashed, draft.dimension) as writer, prefetched(self._pages(draft, after)) as pages:
            for points, thumbnails in pages:
                writer.write(points, thumbnails)
                count, last = count + len(points), points[-1].id
        if not count:
            return None
        return PointsFile(name=name, points=count, bytes=hashed.size, sha256=hashed.digest.hexdigest()), last

    def _pages(
        self, draft: ExportManifest, after: str | None
    ) -> Generator[tuple[Sequence[StoredPoint], Mapping[str, bytes]], None, None]:
        """The points of one file beyond an id, a group of rows at a time, with their thumbnails."""
        left = self._points_per_file
        while left and (points := self._page(draft, after, min(_ROWS_PER_GROUP, left))):
            yield points, self._thumbnails(draft.collection, points) if draft.thumbnails else {}
            left, after = left - len(points), points[-1].id

    def _page(self, draft: ExportManifest, after: str | None, limit: int) -> Sequence[StoredPoint]:
        try:
            points = self._index.scroll(draft.collection, after=after, limit=limit)
        except CollectionNotFound as error:
            raise SourceError("collection_not_found", str(error)) from error
        if foreign := next((one for one in points if one.payload.space != draft.space), None):
            detail = (
                f"Collection '{draft.collection}' got vectors of space {foreign.payload.space} while "
                f"those of {draft.space} were exported: it was migrated, or made anew. Export it again."
            )
            raise SourceError("collection_changed", detail)
        return points

    def _thumbnails(self, collection: str, points: Sequence[StoredPoint]) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        for point in points:
            try:
                found[point.id] = self._media.read_thumbnail(collection, point.id)
            except MediaNotFound:
                continue  # It never had one, or the picture has just been deleted.
        return found


class _HashedFile(io.RawIOBase):
    """A file in the making, as Parquet's writer wants it; `size` and `digest` are of what was written."""

    def __init__(self, file: AtomicFile) -> None:
        self._file = file
        self.size = 0
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        piece = bytes(data)
        self._file.write(piece)
        self.digest.update(piece)
        self.size += len(piece)
        return len(piece)


def _new_draft(job: Job, info: CollectionInfo, asked: ExportTarget) -> ExportManifest:
    return ExportManifest(
        job=job.id,
        collection=info.name,
        space=info.space,
        dimension=info.dimension,
        fields=dict(info.fields),
        quantization=info.quantization,
        precision=info.precision,
        thumbnails=asked.thumbnails,
        created_at=datetime.now(UTC),
    )


def _claim(folder: Path, job_id: str) -> None:
    """Make the folder, or see that it is empty, or that this job has begun to fill it."""
    with unavailable_when_failing(_SERVICE):
        make_folder(folder)
        there = {path.name for path in folder.iterdir()} - {_UNFINISHED}
    if not there:
        return
    mine = [_read(folder / name) for name in (_DRAFT, MANIFEST)]
    if not any(one is not None and one.job == job_id for one in mine):
        raise SourceError("export_exists", f"Folder {folder} is not empty. Name a new one.")


def _read(path: Path) -> ExportManifest | None:
    try:
        return ExportManifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _write_manifest(folder: Path, name: str, manifest: ExportManifest) -> None:
    with AtomicFile(_SERVICE, folder / _UNFINISHED) as file:
        file.write(manifest.model_dump_json(indent=2).encode() + b"\n")
        file.finish(folder / name, durable=True)
