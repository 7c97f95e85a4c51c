"""Backups of a Sightline on servers, of which the settings are in the environment.

    python -m sightline.backup take DIR         into a new folder, while everything works
    python -m sightline.backup restore DIR      into an empty Qdrant, Redis and data folder

An embedded stack is backed up by `sightline backup`.
"""

import argparse
import sys
from pathlib import Path

from sightline.backup.server import restore_backup, take_backup
from sightline.errors import SightlineError
from sightline.settings import read_settings


def main() -> int:
    """Take or restore; returns 0, or 2 with a sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m sightline.backup", description=__doc__)
    parser.add_argument("what", choices=("take", "restore"))
    parser.add_argument("folder", type=Path, metavar="DIR")
    asked = parser.parse_args()
    try:
        done = (take_backup if asked.what == "take" else restore_backup)(read_settings(), asked.folder)
    except SightlineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{done.records} records, {done.media_files} files ({done.media_bytes} bytes)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
