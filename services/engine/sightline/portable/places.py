"""Where exports wait to be fetched, and where files wait that are to be imported: below the data folder."""

import os
import re
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sightline.atomic_files import unavailable_when_failing
from sightline.portable.manifest import MANIFEST, POINTS_FILE
from sightline.queue.jobs import is_job_id

CLIP_FILE = re.compile(r"img_emb_[0-9]{1,9}\.npy|metadata_[0-9]{1,9}\.parquet")
EXPORTS, IMPORTS = "exports", "imports"
UPLOAD_KEPT_S = 24 * 3600.0
_SERVICE = "The data folder"
_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")


def is_export_file(name: str) -> bool:
    """Whether an export may have a file of this name."""
    return name == MANIFEST or POINTS_FILE.fullmatch(name) is not None


def is_import_file(name: str) -> bool:
    """Whether files to be imported may have this name: one of an export, or one of clip-retrieval's."""
    return is_export_file(name) or CLIP_FILE.fullmatch(name) is not None


class PortablePlaces:
    """The folders `exports/<job id>` and `imports/<upload id>` of one data folder.

    Every method raises Unavailable, or StorageFull, when the disk fails.
    """

    def __init__(self, data_dir: Path) -> None:
        self._exports = data_dir / EXPORTS
        self._imports = data_dir / IMPORTS

    def export(self, job_id: str) -> Path:
        """The folder of a job's export; raises ValueError for what is no job's id."""
        if not is_job_id(job_id):
            raise ValueError(f"{job_id!r} is no id of a job")
        return self._exports / job_id

    def upload(self, upload_id: str) -> Path:
        """The folder of files that are to be imported; raises ValueError for what is no such id."""
        if not _UPLOAD_ID.fullmatch(upload_id):
            raise ValueError(f"{upload_id!r} is no id of an upload")
        return self._imports / upload_id

    def keep_upload(self, upload_id: str) -> None:
        """Have the files of an upload count as sent just now, if they are there."""
        with unavailable_when_failing(_SERVICE), suppress(FileNotFoundError):
            os.utime(self.upload(upload_id))

    def forget(self, folder: Path) -> None:
        """Delete a folder with what is in it, if it is there."""
        with unavailable_when_failing(_SERVICE):
            if folder.exists():
                shutil.rmtree(folder)

    def exports(self) -> Sequence[Path]:
        """The folders of all exports, which have the ids of their jobs as names."""
        return self._folders(self._exports)

    def old_uploads(self) -> Sequence[Path]:
        """The folders of files that were sent more than `UPLOAD_KEPT_S` ago."""
        return [one for one in self._folders(self._imports) if self.is_old_upload(one)]

    def is_old_upload(self, folder: Path) -> bool:
        """Whether the files of this upload were sent more than `UPLOAD_KEPT_S` ago, and are there yet."""
        with unavailable_when_failing(_SERVICE), suppress(FileNotFoundError):
            return folder.stat().st_mtime < time.time() - UPLOAD_KEPT_S
        return False

    def _folders(self, above: Path) -> list[Path]:
        with unavailable_when_failing(_SERVICE):
            return sorted(above.iterdir()) if above.is_dir() else []
