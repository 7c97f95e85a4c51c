"""multipart/form-data as it comes in: nothing of a part is held back until the part is whole."""

from http import HTTPStatus
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from sightline_api.http.problems import ApiError


class PartHandler(Protocol):
    """Whoever takes the parts of a form, one after another."""

    def begin_part(self, name: str, filename: str | None) -> None:
        """A field begins, or a file if it has a `filename`, which may be empty."""

    def part_data(self, data: bytes) -> None:
        """More of the part that began last."""

    def end_part(self) -> None:
        """The part that began last is whole."""


class MultipartReader:
    """Cuts a body into parts and hands them on while they come in; what the handler raises passes through."""

    def __init__(self, content_type: str, handler: PartHandler) -> None:
        """Raises ApiError (415) for another content type."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            detail = "Send the pictures as multipart/form-data, each in a field `files`."
            raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
        self._handler = handler
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._ended = False
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": handler.end_part,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise _malformed(str(error)) from error

    def feed(self, data: bytes) -> None:
        """The next bytes of the body; raises ApiError (400) if they are not what a form can go on with."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _malformed(str(error)) from error

    def end(self) -> None:
        """The body has ended; raises ApiError (400) if the form has not."""
        if not self._ended:
            raise _malformed("it ends before its last boundary")

    def _on_part_begin(self) -> None:
        self._disposition = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise _malformed("a part has no name")
        filename = options.get(b"filename")
        self._handler.begin_part(_text(options[b"name"]), None if filename is None else _text(filename))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._handler.part_data(data[start:end])

    def _on_end(self) -> None:
        self._ended = True


def _text(data: bytes) -> str:
    """Names as browsers write them; old clients write Latin-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _malformed(fault: str) -> ApiError:
    detail = f"The body is not a whole multipart form: {fault}."
    return ApiError(HTTPStatus.BAD_REQUEST, "malformed_upload", detail)
