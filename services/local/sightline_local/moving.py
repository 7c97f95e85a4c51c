"""From an embedded stack to a Qdrant server: every collection as it is, ids, payload and vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sightline.backup.manifest import MEDIA
from sightline.backup.media import put_media
from sightline.errors import SettingsError
from sightline.index import CollectionInfo, CollectionSpec, Point, VectorIndex
from sightline.index.connect import INGESTING, open_index
from sightline.index.edge.client import EdgeClient
from sightline.settings import Settings
from sightline_local.data_folder import data_folder_at, open_data_folder
from sightline_local.errors import PortabilityError
from sightline_local.index_process import index_process

_POINTS_AT_ONCE = 1_000
_SERVER_BATCH = 250

OnMoved = Callable[[str, int, int], None]
"""Is told a collection, how many of its points have been seen to, and how many there are."""


@dataclass(frozen=True)
class Moved:
    """What was moved: points by collection, and files of originals and thumbnails."""

    points: dict[str, int]
    files: int
    bytes: int


def move(data: Path, settings: Settings, on_moved: OnMoved) -> Moved:
    """Copy all collections of a data folder, on which no stack runs, to the server that the settings name.

    Points that are there already stay as they are, so that a move that broke off is done again. Originals and
    thumbnails go to the settings' bucket or data folder. Raises SettingsError, StartError, SpaceMismatch and
    Unavailable.
    """
    if settings.qdrant_url is None:
        raise SettingsError("SIGHTLINE_QDRANT_URL has to name the Qdrant server to move to.")
    if not data_folder_at(data).index.is_dir():
        raise PortabilityError(f"There is no data of Sightline in {data}. Name its data folder with --from.")
    with open_data_folder(data) as folder:
        target = open_index(settings, INGESTING)
        try:
            with index_process(folder.index, folder.index_socket, {}) as (_, source):
                points = {
                    info.name: _move_collection(source, target, info, on_moved)
                    for info in source.collections()
                }
        finally:
            target.close()
        files, size = put_media(folder.root / MEDIA, settings)
    return Moved(points, files, size)


def _move_collection(source: EdgeClient, target: VectorIndex, info: CollectionInfo, on_moved: OnMoved) -> int:
    spec = CollectionSpec(
        info.name, info.space, info.dimension, info.fields, info.quantization, info.precision
    )
    target.ensure_collection(spec)
    after: str | None = None
    moved = 0
    while page := source.scroll(info.name, after=after, limit=_POINTS_AT_ONCE):
        points = [Point(one.id, one.vector, one.payload) for one in page if one.vector is not None]
        for start in range(0, len(points), _SERVER_BATCH):
            target.insert(info.name, points[start : start + _SERVER_BATCH])
        after = page[-1].id
        moved += len(page)
        on_moved(info.name, moved, info.points)
    return moved
