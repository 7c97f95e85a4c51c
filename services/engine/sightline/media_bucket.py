"""Originals and thumbnails in a bucket, for apis and embedders on several machines."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from sightline.atomic_files import AtomicFile
from sightline.buckets.addresses import ObjectAddress
from sightline.buckets.storage import Bucket, Fault, StorageFailure, StorageLimits
from sightline.errors import MediaNotFound, StorageFull, Unavailable
from sightline.media import SERVICE, FolderMediaStore, check_name, original_place, thumbnail_place
from sightline.new_original import NewOriginal

LIMITS = StorageLimits(silence_s=5.0, read_s=30.0, attempts=3)
_ABSENT_KEY = ".sightline-probe"
_DELETED_AT_ONCE = 1000
_PUT_AT_ONCE = 8
_T = TypeVar("_T")


class BucketMediaStore:
    """A MediaStore in a bucket, with the keys of the folder's paths: COLLECTION/originals/ab/cd/SHA256, ….

    What comes in waits in a local folder until it is whole and its hash is known; it is kept once the
    bucket has it, which shows an object whole or not at all. Room is that of the local folder: a bucket
    has no end that can be asked for.
    """

    def __init__(self, bucket: Bucket, place: ObjectAddress, waiting: Path, pause_s: float = 0.2) -> None:
        """`place` is the prefix of all keys in `bucket`, `waiting` the folder for what is not whole yet."""
        self._bucket = bucket
        self._place = place.below()
        self._waiting = FolderMediaStore(waiting)
        self._retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, StorageFailure) and error.transient),
            stop=stop_after_attempt(LIMITS.attempts),
            wait=wait_exponential_jitter(multiplier=pause_s, max=2.0, jitter=pause_s),
            reraise=True,
        )

    def ping(self) -> None:
        """See MediaStore."""
        try:
            self._tried(lambda: self._read(self._key(_ABSENT_KEY)))
        except FileNotFoundError:
            return

    def put_original(self, collection: str, sha256: str, data: bytes) -> None:
        """See MediaStore."""
        key = self._key(original_place(collection, sha256))
        self._tried(lambda: self._bucket.put(key, data))

    def new_original(self, collection: str, max_bytes: int) -> NewOriginal:
        """See MediaStore."""
        check_name("collection", collection)

        kept = False

        def keep(file: AtomicFile, sha256: str) -> None:
            nonlocal kept
            if not kept:
                key = self._key(original_place(collection, sha256))
                self._tried(lambda: self._bucket.put(key, file.path))
                kept = True
                file.discard()

        return NewOriginal(self._waiting.new_file(), keep, max_bytes)

    def free_bytes(self) -> int:
        """See MediaStore."""
        return self._waiting.free_bytes()

    def read_original(self, collection: str, sha256: str) -> bytes:
        """See MediaStore."""
        key = self._key(original_place(collection, sha256))
        return self._found("original", collection, sha256, lambda: self._read(key))

    def open_original(self, collection: str, sha256: str) -> BinaryIO:
        """See MediaStore; it is in memory."""
        return BytesIO(self.read_original(collection, sha256))

    def put_thumbnail(self, collection: str, image_id: str, data: bytes) -> None:
        """See MediaStore."""
        key = self._key(thumbnail_place(collection, image_id))
        self._tried(lambda: self._bucket.put(key, data))

    def put_thumbnails(self, collection: str, thumbnails: Mapping[str, bytes]) -> None:
        """See MediaStore; several at a time, for most of the time of each is spent waiting."""
        if not thumbnails:
            return
        with ThreadPoolExecutor(min(_PUT_AT_ONCE, len(thumbnails))) as pool:
            puts = [pool.submit(self.put_thumbnail, collection, *one) for one in thumbnails.items()]
        for put in puts:
            put.result()

    def read_thumbnail(self, collection: str, image_id: str) -> bytes:
        """See MediaStore."""
        key = self._key(thumbnail_place(collection, image_id))
        return self._found("thumbnail", collection, image_id, lambda: self._read(key))

    def delete(self, collection: str, image_id: str, sha256: str | None) -> None:
        """See MediaStore."""
        places = [thumbnail_place(collection, image_id)]
        if sha256 is not None:
            places.append(original_place(collection, sha256))
        self._delete([self._key(place) for place in places])

    def delete_thumbnail(self, collection: str, image_id: str) -> None:
        """See MediaStore."""
        self._delete([self._key(thumbnail_place(collection, image_id))])

    def delete_collection(self, collection: str) -> None:
        """See MediaStore."""
        check_name("collection", collection)
        folder = self._key(f"{collection}/")
        while some := self._tried(lambda: self._first_keys(folder)):
            self._delete(some)

    def discard_unfinished(self, older_than_s: float) -> int:
        """See MediaStore."""
        return self._waiting.discard_unfinished(older_than_s)

    def _key(self, place: str) -> str:
        return f"{self._place.key}{place}"

    def _read(self, key: str) -> bytes:
        with self._bucket.open(key) as opened:
            return b"".join(opened.chunks)

    def _first_keys(self, folder: str) -> Sequence[str]:
        return [one.key for one in islice(self._bucket.list_after(folder, None), _DELETED_AT_ONCE)]

    def _delete(self, keys: Sequence[str]) -> None:
        self._tried(lambda: self._bucket.delete(keys))

    def _found(self, kind: str, collection: str, name: str, read: Callable[[], bytes]) -> bytes:
        try:
            return self._tried(read)
        except FileNotFoundError as error:
            raise MediaNotFound(kind, collection, name) from error

    def _tried(self, call: Callable[[], _T]) -> _T:
        with self._failures_named():
            return self._retrying(call)

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        """Turn what a storage says into Unavailable or StorageFull; FileNotFoundError for what is missing."""
        try:
            yield
        except StorageFailure as failure:
            where = self._place.url
            match failure.fault:
                case Fault.OBJECT_MISSING:
                    raise FileNotFoundError from failure
                case Fault.FULL:
                    raise StorageFull(
                        SERVICE, f"{where} takes no more ({failure.what}). Make room, or raise its quota."
                    ) from failure
                case Fault.BUCKET_MISSING:
                    what = f"no bucket {self._place.bucket_url}; make it, or correct SIGHTLINE_MEDIA_URL"
                case Fault.DENIED:
                    what = (
                        f"{where} refuses ({failure.what}); check the credentials, and that they permit "
                        f"reading, writing, deleting and listing there"
                    )
                case _:
                    what = f"{where}: {failure.what}"
            raise Unavailable(SERVICE, what) from failure
