"""Import roots: the folders that pictures may be read from. No other path is taken on trust."""

import os
from collections.abc import Sequence
from pathlib import Path

from sightline.errors import OutsideRoots


def real_path(path: Path) -> Path:
    """`path` with every symbolic link followed; a link that leads in a circle stays as it is."""
    return Path(os.path.realpath(path))


def within_roots(path: Path, roots: Sequence[Path]) -> bool:
    """Whether `path`, with every symbolic link followed, lies in one of `roots`."""
    real = real_path(path)
    return any(real.is_relative_to(real_path(root)) for root in roots)


def open_within(path: Path, roots: Sequence[Path]) -> int:
    """A descriptor for reading what is at `path`, be it a file or not; the caller closes it.

    Raises OutsideRoots, and OSError as `os.open` does.
    """
    real = real_path(path)
    if not within_roots(real, roots):
        raise OutsideRoots(path)
    # O_NONBLOCK: a named pipe would wait for a writer for ever. O_NOFOLLOW: the file may have become a
    # link since it was checked.
    descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not _is_open_within(descriptor, roots):
            raise OutsideRoots(path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_open_within(descriptor: int, roots: Sequence[Path]) -> bool:
    """Whether what was opened lies in one of `roots`: a folder above it may have become a link meanwhile."""
    opened = Path(f"/proc/self/fd/{descriptor}")
    if not opened.is_symlink():  # no Linux
        return True
    return within_roots(opened, roots)
