"""Exports that wait to be fetched and files that wait to be imported: jobs need them after a restore."""

from pathlib import Path

from sightline.backup.folders import copy_files
from sightline.portable.places import EXPORTS, IMPORTS


def take_portable(data_dir: Path, draft: Path) -> None:
    """Copy them into a backup. Raises Unavailable and StorageFull."""
    for name in (EXPORTS, IMPORTS):
        copy_files(data_dir / name, draft / name)


def put_portable(backup: Path, data_dir: Path) -> None:
    """Copy them out of a backup; one that has none was taken before they were. Raises as `take_portable`."""
    for name in (EXPORTS, IMPORTS):
        copy_files(backup / name, data_dir / name)
