"""Folders of files that are written whole and never changed, copied while files come and go."""

import os
import shutil
from pathlib import Path

from sightline.atomic_files import unavailable_when_failing
from sightline.backup.manifest import SERVICE

_UNFINISHED = ".unfinished"


def copy_files(source: Path, target: Path) -> tuple[int, int]:
    """Copy what is below `source`, unfinished files left out; how many files there were, and how many bytes.

    Files that go meanwhile are left out. Raises Unavailable and StorageFull as disks do.
    """
    count = size = 0
    with unavailable_when_failing(SERVICE):
        for place, folders, names in os.walk(source, onerror=_refuse, followlinks=True):
            folders[:] = [name for name in folders if name != _UNFINISHED]
            below = target / Path(place).relative_to(source)
            below.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in names:
                try:
                    shutil.copy2(Path(place) / name, below / name)
                except FileNotFoundError:
                    continue  # deleted meanwhile
                count, size = count + 1, size + (below / name).stat().st_size
    return count, size


def _refuse(error: OSError) -> None:
    """A folder that cannot be listed fails the copy; one that is not there, or not any more, is empty."""
    if not isinstance(error, FileNotFoundError):
        raise error
