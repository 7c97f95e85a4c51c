"""Whole files from URLs and buckets, kept on this machine for as long as they are read."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Self

from sightline.atomic_files import make_folder, unavailable_when_failing
from sightline.buckets import Buckets
from sightline.buckets.addresses import names_object
from sightline.disk_room import check_disk_room
from sightline.errors import BadPicture
from sightline.settings import Settings
from sightline_embedder.errors import SourceError
from sightline_embedder.fetching import Fetcher, FetchLimits
from sightline_embedder.progress import OnProgress, no_progress
from sightline_embedder.sources.download_turns import DownloadTurns

_SERVICE = "The folder for downloads"


class Downloads:
    """Archives and manifests as files without a name, which go with their reader.

    `min_free_bytes` stay free on the disk of `folder`. They take `turns`, and `on_progress` is told of
    everything that arrives: one download may take as long as `limits` say.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        buckets: Buckets,
        folder: Path,
        *,
        max_bytes: int,
        limits: FetchLimits,
        min_free_bytes: int,
        turns: DownloadTurns,
        on_progress: OnProgress = no_progress,
    ) -> None:
        self._fetcher = fetcher
        self._buckets = buckets
        self._folder = folder
        self._max_bytes = max_bytes
        self._limits = limits
        self._min_free_bytes = min_free_bytes
        self._turns = turns
        self._on_progress = on_progress

    @classmethod
    def of(
        cls,
        settings: Settings,
        fetcher: Fetcher,
        buckets: Buckets,
        turns: DownloadTurns,
        on_progress: OnProgress = no_progress,
    ) -> Self:
        """Downloads within the limits of the settings, in a folder beside the media."""
        return cls(
            fetcher,
            buckets,
            settings.data_dir / "downloads",
            max_bytes=settings.download_max_bytes,
            limits=FetchLimits.of_downloads(settings),
            min_free_bytes=settings.min_free_bytes,
            turns=turns,
            on_progress=on_progress,
        )

    @contextmanager
    def __call__(self, url: str) -> Iterator[BinaryIO]:
        """See RemoteFiles; the code of the SourceError is the reason that a picture would have.

        Raises StorageFull, and DownloadPutOff where another download goes on.
        """
        with unavailable_when_failing(_SERVICE):
            make_folder(self._folder)
            file = TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed below, also after errors
        try:
            try:
                with self._turns.turn():
                    self._download(url, file)
            except BadPicture as error:
                raise SourceError(error.reason.value, error.detail) from error
            file.seek(0)
            yield file
        finally:
            with suppress(OSError):  # Closing writes what a full disk did not take, and nobody wants that.
                file.close()

    def _download(self, url: str, file: BinaryIO) -> None:
        if names_object(url):
            with self._buckets.stream(url, self._max_bytes) as opened:
                self._write(opened.chunks, file)
        else:
            with self._fetcher.stream(url, self._max_bytes, self._limits) as download:
                self._write(download.chunks, file)

    def _write(self, chunks: Iterable[bytes], file: BinaryIO) -> None:
        for chunk in chunks:
            check_disk_room(_SERVICE, self._folder, self._min_free_bytes, len(chunk))
            with unavailable_when_failing(_SERVICE):
                file.write(chunk)
            self._on_progress()
        with unavailable_when_failing(_SERVICE):
            file.flush()
