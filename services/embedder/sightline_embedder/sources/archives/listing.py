"""Archives as a source: pictures are copied to the media store while the archive is read."""

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

from sightline.media import MediaStore
from sightline_embedder.errors import SourceError
from sightline_embedder.sources import Listed
from sightline_embedder.sources.archives.limits import ArchiveLimits, Unpacked
from sightline_embedder.sources.archives.opening import open_archive
from sightline_embedder.sources.archives.places import ArchivePlace
from sightline_embedder.sources.archives.walking import Walk
from sightline_embedder.sources.file_faults import faults_of

_FINGERPRINT_BYTES = 64 << 10


class ArchiveListing:
    """The pictures of an archive, by the suffix of their names.

    The cursor is the number of members passed, with a fingerprint of the archive: listing resumes by
    reading up to there without copying anything again.
    """

    def __init__(
        self, place: ArchivePlace, *, collection: str, media: MediaStore, limits: ArchiveLimits
    ) -> None:
        self._place = place
        self._collection = collection
        self._media = media
        self._limits = limits

    def list(self, after: str | None) -> Iterator[Listed]:
        """See Source. Pictures before a damage or a limit are listed before SourceError is raised.

        Its codes beside those of the place: `archive_unsupported`, `archive_damaged`, `archive_too_large`,
        `archive_unreadable` and, when it is not the one that the cursor is of, `archive_changed`. Raises
        StorageFull when copying would leave too little of the disk free.
        """
        with self._place.open() as file, faults_of(self._place.uri, "archive_unreadable"):
            yield from self._walk(file, after)

    def _walk(self, file: BinaryIO, after: str | None) -> Iterator[Listed]:
        size, fingerprint = _identify(file)
        passed = 0
        if after is not None:
            number, _, expected = after.partition("-")
            passed = int(number)
            if expected != fingerprint:
                raise SourceError(
                    "archive_changed", "The archive changed while it was listed. Ingest it anew."
                )
        unpacked = Unpacked(self._limits)
        members = open_archive(file, size, self._limits, unpacked)
        walk = Walk(
            self._place.uri,
            fingerprint,
            passed=passed,
            collection=self._collection,
            media=self._media,
            limits=self._limits,
            unpacked=unpacked,
        )
        yield from walk.listed(members)


def _identify(file: BinaryIO) -> tuple[int, str]:
    """The size in bytes, and a short hash of it, the head and the tail of the file."""
    size = file.seek(0, 2)
    digest = hashlib.sha256(str(size).encode())
    for start in (0, max(0, size - _FINGERPRINT_BYTES)):
        file.seek(start)
        digest.update(file.read(_FINGERPRINT_BYTES))
    return size, digest.hexdigest()[:16]
