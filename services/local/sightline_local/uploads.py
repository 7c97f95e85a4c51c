"""Pictures of this machine that the API cannot read itself: sent to it in groups, each unless it is there.

A file that cannot be read, or that the API takes from nobody, is left out, and costs no other.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from sightline.identity import sha256_of_file
from sightline_local.client import ApiClient, ApiFailure

FILES_PER_UPLOAD = 100
BYTES_PER_UPLOAD = 256 << 20
"""Of a group; a larger file goes alone. An eighth of what an API takes unless it is told otherwise."""
_NO_COLLECTION = "collection_not_found"
_PICTURE_TOO_LARGE = "too_many_bytes"
_GROUP_REFUSED = ("request_too_large", "too_many_files", "not_text")


@dataclass(frozen=True)
class LeftOut:
    """A file that was not sent, and why, in words that go on after a colon."""

    path: Path
    why: str


@dataclass(frozen=True)
class _Picture:
    path: Path
    bytes: int
    sha256: str


class Uploads:
    """Sends pictures into one collection. `leave_out` is told of each file that cannot be."""

    def __init__(
        self,
        api: ApiClient,
        tags: Sequence[str],
        collection: str | None,
        leave_out: Callable[[LeftOut], None],
    ) -> None:
        self._api = api
        self._tags = tags
        self._collection = collection
        self._leave_out = leave_out

    def jobs(self, files: Iterable[Path]) -> Iterator[Any]:
        """Send files, and give the job of each group; raises ApiFailure for what is no file's fault."""
        for group in _groups(self._readable(files)):
            unknown = self._without_known(group)
            if unknown:
                yield from self._sent(unknown)

    def _readable(self, files: Iterable[Path]) -> Iterator[_Picture]:
        for path in files:
            found = _looked_at(path)
            if isinstance(found, LeftOut):
                self._leave_out(found)
            else:
                yield found

    def _without_known(self, group: Sequence[_Picture]) -> Sequence[_Picture]:
        body = {"sha256": [picture.sha256 for picture in group], "collection": self._collection}
        try:
            known = self._api.post("/v1/images/known", body)["known"]
        except ApiFailure as error:
            if error.code != _NO_COLLECTION:
                raise
            return group  # the upload makes it
        return [picture for picture in group if picture.sha256 not in known]

    def _sent(self, group: Sequence[_Picture]) -> Iterator[Any]:
        parameters = {"collection": self._collection} if self._collection else {}
        try:
            job = self._api.upload([picture.path for picture in group], parameters, self._tags)
        except OSError as error:
            # One of them is gone, or cannot be read any more.
            yield from self._sent_in_parts(group, error.strerror or str(error))
        except ApiFailure as error:
            if error.code == _PICTURE_TOO_LARGE:
                yield from self._sent_without_largest(group, str(error))
            elif error.code in _GROUP_REFUSED:
                yield from self._sent_in_parts(group, str(error))
            else:
                raise
        else:
            yield job

    def _sent_in_parts(self, group: Sequence[_Picture], why: str) -> Iterator[Any]:
        if len(group) == 1:
            self._leave_out(LeftOut(group[0].path, why))
            return
        middle = len(group) // 2
        yield from self._sent(group[:middle])
        yield from self._sent(group[middle:])

    def _sent_without_largest(self, group: Sequence[_Picture], why: str) -> Iterator[Any]:
        largest = max(group, key=lambda picture: picture.bytes)
        self._leave_out(LeftOut(largest.path, why))
        rest = [picture for picture in group if picture is not largest]
        if rest:
            yield from self._sent(rest)


def _looked_at(path: Path) -> _Picture | LeftOut:
    try:
        about = path.stat()
        if S_ISDIR(about.st_mode):
            return LeftOut(path, "the folder cannot be listed")
        if not S_ISREG(about.st_mode):
            return LeftOut(path, "this is no regular file")
        return _Picture(path, about.st_size, sha256_of_file(path))
    except OSError as error:
        return LeftOut(path, error.strerror or str(error))


def _groups(pictures: Iterable[_Picture]) -> Iterator[Sequence[_Picture]]:
    group: list[_Picture] = []
    size = 0
    for picture in pictures:
        if group and (len(group) == FILES_PER_UPLOAD or size + picture.bytes > BYTES_PER_UPLOAD):
            yield group
            group, size = [], 0
        group.append(picture)
        size += picture.bytes
    if group:
        yield group
