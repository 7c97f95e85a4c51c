"""Room on disks: some must stay free, for the queue and the index beside it."""

import shutil
from pathlib import Path

from sightline.atomic_files import unavailable_when_failing
from sightline.errors import StorageFull
from sightline.media import SERVICE, MediaStore


def check_room(media: MediaStore, min_free_bytes: int, coming_bytes: int = 0) -> None:
    """Raise StorageFull unless `min_free_bytes` stay free on the media store's disk when more have come."""
    _check(SERVICE, "the disk, or send less at once", media.free_bytes(), min_free_bytes, coming_bytes)


def check_disk_room(service: str, folder: Path, min_free_bytes: int, coming_bytes: int = 0) -> None:
    """The same for the disk of a folder, in the name of `service`.

    Raises Unavailable when the disk does not answer.
    """
    _check(service, f"the disk of {folder}", _free_bytes(service, folder), min_free_bytes, coming_bytes)


def _free_bytes(service: str, folder: Path) -> int:
    with unavailable_when_failing(service):
        return shutil.disk_usage(folder).free


def _check(service: str, where: str, free_bytes: int, min_free_bytes: int, coming_bytes: int) -> None:
    if free_bytes - coming_bytes < min_free_bytes:
        coming = f" {coming_bytes:,} should come in," if coming_bytes else ""
        raise StorageFull(
            service,
            f"{free_bytes:,} bytes are free,{coming} and {min_free_bytes:,} must stay free "
            f"(SIGHTLINE_MIN_FREE_BYTES). Make room on {where}.",
        )
