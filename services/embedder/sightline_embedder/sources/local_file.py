"""Whole files on this machine that a source is made of: a manifest, an archive."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from sightline.errors import OutsideRoots
from sightline.roots import open_within
from sightline_embedder.errors import SourceError


def open_local_file(path: Path, roots: Sequence[Path]) -> BinaryIO:
    """The file at `path`, which the caller closes.

    Raises SourceError: `path_not_allowed` outside of `roots`, `file_not_found`, or `file_unreadable` for
    what is no regular file or may not be read.
    """
    try:
        descriptor = open_within(path, roots)
    except OutsideRoots as error:
        raise SourceError(
            "path_not_allowed", f"File {path} is not inside any of SIGHTLINE_IMPORT_ROOTS."
        ) from error
    except FileNotFoundError as error:
        raise SourceError("file_not_found", f"There is no file {path}.") from error
    except OSError as error:
        raise SourceError("file_unreadable", f"File {path} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceError("file_unreadable", f"{path} is not a regular file.")
    return os.fdopen(descriptor, "rb")
