"""Uploads: the gateway has stored the bytes and the job names them."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from sightline.queue.messages import StoredUpload
from sightline_embedder.sources import Listed


class UploadListing:
    """The files of one upload; the cursor is the place of the last one listed."""

    def __init__(self, files: Sequence[StoredUpload]) -> None:
        self._files = files

    def list(self, after: str | None) -> Iterator[Listed]:
        """The uploaded files in the order of the request."""
        start = 0 if after is None else int(after) + 1
        for place, file in enumerate(self._files[start:], start):
            yield Listed(
                uri=f"upload:{quote(file.name)}",
                cursor=str(place),
                sha256=file.sha256,
                metadata=file.metadata,
            )
