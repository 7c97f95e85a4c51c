"""Room on a disk: some must stay free, for the queue and the index beside it."""

import shutil
from pathlib import Path

from sightline.atomic_files import unavailable_when_failing
from sightline.errors import StorageFull


def check_disk_room(service: str, folder: Path, min_free_bytes: int, coming_bytes: int = 0) -> None:
    """Raise StorageFull, in the name of `service`, unless so much stays free when `coming_bytes` have come.

    Raises Unavailable when the disk of the folder does not answer.
    """
    with unavailable_when_failing(service):
        free = shutil.disk_usage(folder).free
    if free - coming_bytes < min_free_bytes:
        raise StorageFull(
            service,
            f"{free:,} bytes are free, and {min_free_bytes:,} must stay free (SIGHTLINE_MIN_FREE_BYTES). "
            f"Make room on the disk of {folder}.",
        )
