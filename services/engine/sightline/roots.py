"""Import roots: the folders that pictures may be read from. No other path is taken on trust."""

import os
from collections.abc import Sequence
from pathlib import Path


def real_path(path: Path) -> Path:
    """`path` with every symbolic link followed; a link that leads in a circle stays as it is."""
    return Path(os.path.realpath(path))


def within_roots(path: Path, roots: Sequence[Path]) -> bool:
    """Whether `path`, with every symbolic link followed, lies in one of `roots`."""
    real = real_path(path)
    return any(real.is_relative_to(real_path(root)) for root in roots)
