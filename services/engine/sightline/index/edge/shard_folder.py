"""Folders of shards as files: copied, and written to the disk."""

import os
import shutil
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Have the disk take everything below `folder`, and that it is there.

    A flush of the engine finds little to do afterwards. Files may come and go meanwhile.
    """
    for place, _, names in os.walk(folder):
        for path in [*(Path(place) / name for name in names), Path(place)]:
            _sync(path)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def folder_bytes(folder: Path) -> int:
    """Space that the files below `folder` take, in bytes; files have holes."""
    return sum(
        (Path(place) / name).stat().st_blocks * 512 for place, _, names in os.walk(folder) for name in names
    )


def copy_folder(source: Path, target: Path) -> None:
    """Copy a shard that nobody writes to.

    Files are copied and not linked: the engine changes most of them in place.
    """
    shutil.copytree(source, target)
