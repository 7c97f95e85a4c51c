"""Forms are cut into the same parts however their bytes arrive."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline_api.http.problems import ApiError
from sightline_api.ingest.multipart import MultipartReader

TYPE = "multipart/form-data; boundary=cut"
BODY = (
    b"--cut\r\n"
    b'Content-Disposition: form-data; name="files"; filename="\xc3\xa4 b.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n"
    b"\r\n--cu\r\n--cut-\r\nbytes\r\n"
    b"\r\n--cut\r\n"
    b'content-disposition: form-data; name="tags"\r\n\r\n'
    b"holiday"
    b"\r\n--cut\r\n"
    b'Content-Disposition: form-data; name="files"; filename=""\r\n\r\n'
    b"\r\n--cut--\r\n"
)
PARTS = [
    ("files", "ä b.jpg", b"\r\n--cu\r\n--cut-\r\nbytes\r\n"),
    ("tags", None, b"holiday"),
    ("files", "", b""),
]


class Parts:
    """A handler that keeps what it is given."""

    def __init__(self) -> None:
        self.whole: list[tuple[str, str | None, bytes]] = []
        self._begun: tuple[str, str | None] = ("", None)
        self._data = b""

    def begin_part(self, name: str, filename: str | None) -> None:
        self._begun, self._data = (name, filename), b""

    def part_data(self, data: bytes) -> None:
        self._data += data

    def end_part(self) -> None:
        self.whole.append((*self._begun, self._data))


def read(pieces: Sequence[bytes]) -> Parts:
    parts = Parts()
    reader = MultipartReader(TYPE, parts)
    for piece in pieces:
        reader.feed(piece)
    reader.end()
    return parts


@given(st.lists(st.integers(0, len(BODY)), max_size=20))
def test_parts_are_the_same_wherever_the_body_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(BODY)]
    pieces = [BODY[start:end] for start, end in pairwise(places)]
    assert read(pieces).whole == PARTS


def test_byte_by_byte() -> None:
    assert read([bytes([byte]) for byte in BODY]).whole == PARTS


@pytest.mark.parametrize("end", [0, 30, len(BODY) // 2, len(BODY) - 6])
def test_a_body_that_ends_too_early_is_no_form(end: int) -> None:
    with pytest.raises(ApiError, match="ends before its last boundary") as caught:
        read([BODY[:end]])
    assert (caught.value.status, caught.value.code) == (400, "malformed_upload")


@pytest.mark.parametrize(
    "body",
    [
        b"no boundary at all",
        b"--cut\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n--cut--",
        b"--cut\r\n\r\nwithout headers\r\n--cut--",
        b"--cut\r\nX: " + b"a" * 10_000,
        b"--cut\r\n" + b"X: y\r\n" * 100,
    ],
)
def test_a_body_that_is_no_form(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        read([body])
    assert (caught.value.status, caught.value.code) == (400, "malformed_upload")


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=x"]
)
def test_another_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(ApiError) as caught:
        MultipartReader(content_type, Parts())
    assert (caught.value.status, caught.value.code) == (415, "unsupported_media_type")


def test_a_boundary_that_is_too_long_is_no_form() -> None:
    with pytest.raises(ApiError, match="Boundary"):
        MultipartReader(f"multipart/form-data; boundary={'x' * 1000}", Parts())
