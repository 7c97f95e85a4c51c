"""Whether the folder of a sync is there: without its disk every one of its files would count as deleted."""

from pathlib import Path

from sightline.queue.sources import FolderSource
from sightline_embedder.errors import SourceError
from sightline_embedder.sources.folder import holds_picture


def check_folder(folder: FolderSource, indexed: int) -> None:
    """Raise SourceError unless the folder is there with a picture in it; `indexed` is how many it had."""
    if not holds_picture(Path(folder.path), recursive=folder.recursive):
        raise folder_empty(folder, indexed)


def folder_empty(folder: FolderSource, indexed: int) -> SourceError:
    """What is wrong with a folder without pictures, of which some are indexed."""
    return SourceError(
        "folder_empty",
        f"Folder {folder.path} holds no pictures, but {indexed} of its pictures are indexed. If its disk is "
        f"not mounted, mount it and sync again. If they were deleted on purpose, put one picture there.",
    )
