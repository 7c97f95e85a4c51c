"""What becomes of an upload's body: each file goes to the disk while it comes in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from sightline.disk_room import check_room
from sightline.errors import BadPicture
from sightline.media import MediaStore
from sightline.new_original import NewOriginal
from sightline.queue.sources import PictureRef, SourceKind
from sightline.settings import Settings
from sightline_api.http.problems import ApiError, field_fault
from sightline_api.ingest.multipart import MultipartReader
from sightline_api.ingest.upload_form import FIELD_TIMES_AND_BYTES, UploadForm, parse_form


@dataclass(frozen=True)
class _File:
    name: str
    original: NewOriginal


@dataclass(frozen=True)
class Upload:
    """An upload that has come in whole, and is on the disk."""

    form: UploadForm
    fields: Mapping[str, Sequence[str]]
    files: Sequence[_File]

    def keep(self) -> Iterator[PictureRef]:
        """The pictures by reference; each is kept in the media store when it is its turn."""
        for file, metadata in zip(self.files, self.form.metadata, strict=True):
            file.original.keep()
            uri, sha256 = f"upload:{quote(file.name)}", file.original.complete()
            yield PictureRef(kind=SourceKind.UPLOAD, uri=uri, sha256=sha256, metadata=metadata)

    def asked(self) -> Any:
        """The upload as a JSON value, to tell it from others."""
        return [dict(self.fields), [[file.name, file.original.complete()] for file in self.files]]


class UploadReceiver:
    """Takes the body of an upload, piece by piece: files into the media store, fields into memory.

    Blocks while it writes. Not safe to use from two threads at once; one after another is fine.
    """

    def __init__(self, media: MediaStore, collection: str, settings: Settings, content_type: str) -> None:
        self._media = media
        self._collection = collection
        self._settings = settings
        self._reader = MultipartReader(content_type, self)
        self._files: list[_File] = []
        self._fields: dict[str, list[str]] = {}
        self._field: str | None = None
        """The field whose part comes in; None while a file does."""
        self._value = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body.

        Raises ApiError and RequestValidationError for what cannot be taken, and StorageFull.
        """
        check_room(self._media, self._settings.min_free_bytes)
        self._reader.feed(data)

    def finish(self) -> Upload:
        """The upload, once all of its body was fed; raises as `feed` does."""
        self._reader.end()
        if not self._files:
            raise field_fault("Field required", "files")
        return Upload(parse_form(self._fields, len(self._files)), self._fields, self._files)

    def discard(self) -> None:
        """Remove every file that was not kept."""
        for file in self._files:
            file.original.discard()

    def begin_part(self, name: str, filename: str | None) -> None:
        """See PartHandler."""
        if filename is None:
            self._begin_field(name)
        else:
            self._begin_file(name, filename)

    def part_data(self, data: bytes) -> None:
        """See PartHandler."""
        if self._field is None:
            file = self._files[-1]
            try:
                file.original.write(data)
            except BadPicture as error:
                detail = f"File '{file.name}': {error.detail}"
                raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error.reason.value, detail) from error
            return
        self._value += data
        _, limit = FIELD_TIMES_AND_BYTES[self._field]
        if len(self._value) > limit:
            raise field_fault(f"has more than {limit} bytes, the limit", self._field)

    def end_part(self) -> None:
        """See PartHandler."""
        if self._field is None:
            self._files[-1].original.complete()
            return
        try:
            self._fields[self._field].append(self._value.decode())
        except UnicodeDecodeError as error:
            raise field_fault("is not UTF-8", self._field) from error

    def _begin_file(self, field: str, filename: str) -> None:
        if field != "files":
            raise field_fault("is no field for files; those go into `files`", field)
        limit = self._settings.max_upload_files
        if len(self._files) == limit:
            detail = f"The request has more than {limit} files, the limit. Send them in several requests."
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_files", detail)
        original = self._media.new_original(self._collection, self._settings.max_picture_bytes)
        self._files.append(_File(filename or "unnamed", original))
        self._field = None

    def _begin_field(self, name: str) -> None:
        if name == "files":
            raise field_fault("is no file: it comes without a filename", name)
        if name not in FIELD_TIMES_AND_BYTES:
            known = ", ".join(("files", *FIELD_TIMES_AND_BYTES))
            raise field_fault(f"is no field of this form; those are {known}", name)
        times, _ = FIELD_TIMES_AND_BYTES[name]
        if len(self._fields.setdefault(name, [])) == times:
            raise field_fault(f"comes more often than allowed ({times})", name)
        self._field, self._value = name, bytearray()
