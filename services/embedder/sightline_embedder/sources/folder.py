"""Folders: pictures below a path, in the byte order of their names."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from sightline.file_uri import path_of, uri_of
from sightline.queue.sources import PictureRef, SourceKind
from sightline.roots import within_roots
from sightline_embedder.errors import SourceError
from sightline_embedder.sources import Listed

# Formats that are read, and picture formats that are not: a file of the second kind is listed so
# that it ends as `unsupported_format` instead of being passed over in silence.
READ_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
    | {".avif", ".heic", ".heif", ".hif"}
)
UNREAD_SUFFIXES = frozenset(
    {".jxl", ".jp2", ".j2k", ".psd", ".svg", ".ico", ".tga", ".raw", ".dng", ".cr2", ".cr3", ".nef"}
    | {".arw", ".orf", ".rw2", ".raf", ".srw", ".pef"}
)
LISTED_SUFFIXES = READ_SUFFIXES | UNREAD_SUFFIXES


class FolderListing:
    """Pictures of a folder, by file suffix.

    Hidden files and folders are passed over. Links to files are listed (the reader refuses those
    that lead out of the import roots), links to folders are not followed. The cursor is the URI of
    the last file listed, so listing resumes there even when files came or went meanwhile.
    """

    def __init__(self, folder: Path, *, recursive: bool, roots: Sequence[Path]) -> None:
        self._folder = folder
        self._recursive = recursive
        self._roots = roots

    def list(self, after: str | None) -> Iterator[Listed]:
        """Files with a picture's suffix; raises SourceError if the folder itself cannot be read."""
        if not within_roots(self._folder, self._roots):
            raise SourceError(
                "path_not_allowed", f"Folder {self._folder} is not inside any of SIGHTLINE_IMPORT_ROOTS."
            )
        resume = path_of(after).relative_to(self._folder).parts if after else ()
        try:
            entries = _entries(self._folder)
        except OSError as error:
            raise _unreadable(self._folder, error) from error
        for path in self._walk(entries, resume):
            uri = uri_of(path)
            yield Listed(PictureRef(kind=SourceKind.FOLDER, uri=uri), cursor=uri)

    def _walk(self, entries: Sequence["os.DirEntry[str]"], resume: Sequence[str]) -> Iterator[Path]:
        """Files in order, those after the path whose parts are `resume`."""
        for entry in entries:
            if resume and _order(entry.name) < _order(resume[0]):
                continue
            on_path = bool(resume) and entry.name == resume[0]
            if on_path and len(resume) == 1:
                continue
            if not entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)
            elif self._recursive:
                yield from self._walk_folder(Path(entry.path), resume[1:] if on_path else ())

    def _walk_folder(self, folder: Path, resume: Sequence[str]) -> Iterator[Path]:
        try:
            entries = _entries(folder)
        except FileNotFoundError:
            # Removed since its parent was listed: there is nothing left to index in it.
            return
        except OSError:
            # Listed like a file: reading it fails as this did, and the job's failures will name it.
            yield folder
            return
        yield from self._walk(entries, resume)


def holds_picture(folder: Path, *, recursive: bool) -> bool:
    """Whether listing the folder would find anything; raises SourceError if it cannot be read."""
    try:
        with os.scandir(folder) as scan:
            return any(_is_or_holds_picture(entry, recursive) for entry in scan)
    except OSError as error:
        raise _unreadable(folder, error) from error


def _is_or_holds_picture(entry: "os.DirEntry[str]", recursive: bool) -> bool:
    if not _is_wanted(entry):
        return False
    if not entry.is_dir(follow_symlinks=False):
        return True
    try:
        return recursive and holds_picture(Path(entry.path), recursive=True)
    except SourceError:
        return False


def _unreadable(folder: Path, error: OSError) -> SourceError:
    return SourceError("folder_unreadable", f"Folder {folder} cannot be listed: {error.strerror}.")


def _entries(folder: Path) -> Sequence["os.DirEntry[str]"]:
    with os.scandir(folder) as scan:
        wanted = [entry for entry in scan if _is_wanted(entry)]
    return sorted(wanted, key=lambda entry: _order(entry.name))


def _is_wanted(entry: "os.DirEntry[str]") -> bool:
    if entry.name.startswith("."):
        return False
    if entry.is_dir(follow_symlinks=False):
        return True
    return Path(entry.name).suffix.lower() in LISTED_SUFFIXES


def _order(name: str) -> bytes:
    return os.fsencode(name)
