"""Whole files from URLs, kept on this machine for as long as they are read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from sightline.atomic_files import make_folder, unavailable_when_failing
from sightline.errors import BadPicture
from sightline_embedder.errors import SourceError
from sightline_embedder.fetching import Fetcher, FetchLimits

_SERVICE = "The folder for downloads"


class FetchedFiles:
    """Downloads archives and manifests into files without a name, which go with their reader."""

    def __init__(self, fetcher: Fetcher, folder: Path, *, max_bytes: int, timeout_s: float) -> None:
        self._fetcher = fetcher
        self._folder = folder
        self._max_bytes = max_bytes
        self._limits = FetchLimits(total_s=timeout_s)

    @contextmanager
    def __call__(self, url: str) -> Iterator[BinaryIO]:
        """See RemoteFiles; the code of the SourceError is the reason that a picture would have."""
        with unavailable_when_failing(_SERVICE):
            make_folder(self._folder)
            file = TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed below, also after errors
        with file:
            try:
                with self._fetcher.stream(url, self._max_bytes, self._limits) as download:
                    for chunk in download.chunks:
                        with unavailable_when_failing(_SERVICE):
                            file.write(chunk)
            except BadPicture as error:
                raise SourceError(error.reason.value, error.detail) from error
            file.seek(0)
            yield file
