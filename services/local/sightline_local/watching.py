"""Watching folders: when something changed in them, and it has been quiet since."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from watchfiles import Change, watch

from sightline_embedder.sources.folder import LISTED_SUFFIXES
from sightline_local.errors import WatchError

_QUIET_MS = 1_000
_LONGEST_MS = 10_000
"""Files that keep coming are not waited for any longer than this."""
_LOOK_MS = 500
_POLL_MS = 2_000


def watch_folders(folders: Sequence[Path], *, poll: bool) -> Iterator[Sequence[Path]]:
    """All folders once they are being watched, and from then on those in which pictures changed.

    What changes between two steps of the iteration comes with the next. A folder that another one takes
    the place of, as when a disk is mounted there, counts as changed. With `poll` no notifications of the
    system are needed. Raises WatchError, and KeyboardInterrupt on SIGINT.
    """
    while True:
        identities = [_identity(folder) for folder in folders]
        yield from _changes(folders, identities, poll=poll)


def _changes(
    folders: Sequence[Path], identities: Sequence[tuple[int, int]], *, poll: bool
) -> Iterator[Sequence[Path]]:
    """As `watch_folders`, until one of the folders is another."""

    def matters(change: Change, path: str) -> bool:
        return any(is_of_interest(Path(path), folder, change) for folder in folders)

    begun = False
    with closing(_watch(folders, matters, poll=poll)) as changes:
        for found in changes:
            if [_identity(folder) for folder in folders] != identities:
                return
            changed = [one for one in folders if any(Path(path).is_relative_to(one) for _, path in found)]
            if changed or not begun:
                yield changed if begun else folders
            begun = True


def _watch(
    folders: Sequence[Path], matters: Callable[[Change, str], bool], *, poll: bool
) -> Generator[set[tuple[Change, str]], None, None]:
    try:
        yield from watch(
            *folders,
            watch_filter=matters,
            debounce=_LONGEST_MS,
            step=_QUIET_MS,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            force_polling=poll,
            poll_delay_ms=_POLL_MS,
            ignore_permission_denied=True,
        )
    except (OSError, RuntimeError) as error:
        raise WatchError(
            f"{', '.join(map(str, folders))} cannot be watched: {error}. Try --poll, which looks at all "
            f"files every {_POLL_MS // 1000} s instead of being told of changes."
        ) from error


def is_of_interest(path: Path, folder: Path, change: Change) -> bool:
    """Whether a sync of `folder` could see that `path` was added, changed or deleted."""
    if not path.is_relative_to(folder):
        return False
    parts = path.relative_to(folder).parts
    if any(part.startswith(".") for part in parts):
        return False
    # What came or went may be a folder with pictures in it.
    return change is not Change.modified or path.suffix.lower() in LISTED_SUFFIXES


def _identity(folder: Path) -> tuple[int, int]:
    try:
        about = folder.stat()
    except OSError as error:
        raise WatchError(f"Folder {folder} cannot be watched any more: {error.strerror}.") from error
    return about.st_dev, about.st_ino
