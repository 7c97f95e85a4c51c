"""Originals and thumbnails: what every media store does, and the one in a folder."""

import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

from sightline.atomic_files import AtomicFile, make_folder, unavailable_when_failing
from sightline.errors import BadRequest, MediaNotFound
from sightline.new_original import NewOriginal

SERVICE = "The media store"
_UNFINISHED = ".unfinished"
"""No collection can have this name."""

_FORMS = {
    "collection": re.compile(r"[a-z0-9][a-z0-9_-]{0,62}"),
    "SHA-256": re.compile(r"[0-9a-f]{64}"),
    "image id": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
}


class MediaStore(Protocol):
    """Uploaded originals by SHA-256 and thumbnails by image id, both per collection.

    Writes are atomic, and doing one twice equals doing it once. Every method raises BadRequest for a
    malformed collection, id or hash, StorageFull when there is no room, and Unavailable when the store
    cannot be read or written otherwise.
    """

    def ping(self) -> None:
        """Return when the store answers."""

    def put_original(self, collection: str, sha256: str, data: bytes) -> None:
        """Keep an original; once this returns it survives a loss of power."""

    def new_original(self, collection: str, max_bytes: int) -> NewOriginal:
        """Begin an original whose hash is not known yet."""

    def free_bytes(self) -> int:
        """How much more there is room for where uploads come in."""

    def read_original(self, collection: str, sha256: str) -> bytes:
        """The original's bytes; raises MediaNotFound."""

    def open_original(self, collection: str, sha256: str) -> BinaryIO:
        """The original as a stream, which the caller closes; raises MediaNotFound."""

    def put_thumbnail(self, collection: str, image_id: str, data: bytes) -> None:
        """Keep a thumbnail, in place of an earlier one."""

    def put_thumbnails(self, collection: str, thumbnails: Mapping[str, bytes]) -> None:
        """Keep several thumbnails by image id, in the order that is quickest."""

    def read_thumbnail(self, collection: str, image_id: str) -> bytes:
        """The thumbnail's bytes; raises MediaNotFound."""

    def delete(self, collection: str, image_id: str, sha256: str | None) -> None:
        """Forget an image's thumbnail and original, where there are any; without a hash none is kept."""

    def delete_thumbnail(self, collection: str, image_id: str) -> None:
        """Forget an image's thumbnail, where there is one."""

    def delete_collection(self, collection: str) -> None:
        """Forget all that is kept for a collection, if there is anything."""

    def discard_unfinished(self, older_than_s: float) -> int:
        """Remove files that a killed writer left behind that long ago; returns how many there were."""


class FolderMediaStore:
    """A MediaStore in a folder: COLLECTION/originals/ab/cd/SHA256, COLLECTION/thumbnails/ab/cd/ID.webp.

    Only the owner can read the files. The folder is made with the first of them.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def ping(self) -> None:
        """See MediaStore."""
        self.free_bytes()

    def put_original(self, collection: str, sha256: str, data: bytes) -> None:
        """See MediaStore."""
        path = self.original_path(collection, sha256)
        if not path.exists():
            with self.new_file() as file:
                file.write(data)
                file.finish(path, durable=True)

    def new_original(self, collection: str, max_bytes: int) -> NewOriginal:
        """See MediaStore."""
        check_name("collection", collection)

        def keep(file: AtomicFile, sha256: str) -> None:
            file.finish(self.original_path(collection, sha256), durable=True)

        return NewOriginal(self.new_file(), keep, max_bytes)

    def free_bytes(self) -> int:
        """See MediaStore."""
        with unavailable_when_failing(SERVICE):
            there = next(folder for folder in (self._root, *self._root.absolute().parents) if folder.exists())
            return shutil.disk_usage(there).free

    def original_path(self, collection: str, sha256: str) -> Path:
        """Where the original is, or would be."""
        return self._root / original_place(collection, sha256)

    def read_original(self, collection: str, sha256: str) -> bytes:
        """See MediaStore."""
        with self.open_original(collection, sha256) as file, unavailable_when_failing(SERVICE):
            return file.read()

    def open_original(self, collection: str, sha256: str) -> BinaryIO:
        """See MediaStore."""
        path = self.original_path(collection, sha256)
        with unavailable_when_failing(SERVICE):
            try:
                return path.open("rb")
            except FileNotFoundError as error:
                raise MediaNotFound("original", collection, sha256) from error

    def put_thumbnail(self, collection: str, image_id: str, data: bytes) -> None:
        """See MediaStore."""
        self.put_thumbnails(collection, {image_id: data})

    def put_thumbnails(self, collection: str, thumbnails: Mapping[str, bytes]) -> None:
        """See MediaStore."""
        with unavailable_when_failing(SERVICE):
            # An original beside them has to be found, so the folders above are waited for.
            make_folder(self._folder(collection) / "thumbnails")
        for image_id, data in thumbnails.items():
            path = self._thumbnail_path(collection, image_id)
            with self.new_file() as file:
                file.write(data)
                # It can be made again, and waiting for the disk takes longer than that.
                file.finish(path, durable=False)

    def read_thumbnail(self, collection: str, image_id: str) -> bytes:
        """See MediaStore."""
        path = self._thumbnail_path(collection, image_id)
        with unavailable_when_failing(SERVICE):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                data = b""
        if not data:  # A loss of power can leave an empty file.
            raise MediaNotFound("thumbnail", collection, image_id)
        return data

    def delete(self, collection: str, image_id: str, sha256: str | None) -> None:
        """See MediaStore."""
        paths = [self._thumbnail_path(collection, image_id)]
        if sha256 is not None:
            paths.append(self.original_path(collection, sha256))
        with unavailable_when_failing(SERVICE):
            for path in paths:
                path.unlink(missing_ok=True)

    def delete_thumbnail(self, collection: str, image_id: str) -> None:
        """See MediaStore."""
        path = self._thumbnail_path(collection, image_id)
        with unavailable_when_failing(SERVICE):
            path.unlink(missing_ok=True)

    def delete_collection(self, collection: str) -> None:
        """See MediaStore."""
        folder = self._folder(collection)
        with unavailable_when_failing(SERVICE):
            if folder.exists():
                shutil.rmtree(folder)

    def discard_unfinished(self, older_than_s: float) -> int:
        """See MediaStore."""
        before, discarded = time.time() - older_than_s, 0
        for path in (self._root / _UNFINISHED).glob("*"):
            with unavailable_when_failing(SERVICE):
                try:
                    if path.stat().st_mtime <= before:
                        path.unlink()
                        discarded += 1
                except FileNotFoundError:
                    continue  # finished meanwhile
        return discarded

    def new_file(self) -> AtomicFile:
        """A file that has no name yet, in the folder for those."""
        return AtomicFile(SERVICE, self._root / _UNFINISHED)

    def _folder(self, collection: str) -> Path:
        check_name("collection", collection)
        return self._root / collection

    def _thumbnail_path(self, collection: str, image_id: str) -> Path:
        return self._root / thumbnail_place(collection, image_id)


def original_place(collection: str, sha256: str) -> str:
    """Where an original is kept, with slashes; raises BadRequest for what is malformed."""
    check_name("collection", collection)
    check_name("SHA-256", sha256)
    return f"{collection}/originals/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def thumbnail_place(collection: str, image_id: str) -> str:
    """Where a thumbnail is kept, with slashes; raises BadRequest for what is malformed."""
    check_name("collection", collection)
    check_name("image id", image_id)
    return f"{collection}/thumbnails/{image_id[:2]}/{image_id[2:4]}/{image_id}.webp"


def check_name(kind: str, value: str) -> None:
    """Raise BadRequest unless `value` is a `collection`, a `SHA-256` or an `image id` by its form."""
    if not _FORMS[kind].fullmatch(value):
        raise BadRequest(f"'{value}' is not a {kind}.")
