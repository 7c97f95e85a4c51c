"""Pictures cut off, damaged or tampered with, and any bytes at all: a picture or a reason comes out."""

from functools import cache
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from picture_files import FORMATS, SMALL, encoded, reason_of
from PIL import Image

from sightline.errors import BadPicture, FailureReason
from sightline.pictures import Picture, open_picture


@cache
def sample(file_format: str) -> bytes:
    """A picture with enough detail to fill some kilobytes."""
    grain = np.random.default_rng(7).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    image = Image.fromarray(grain).resize((128, 96), Image.Resampling.BICUBIC)
    return encoded(image, file_format)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_that_was_cut_off_says_so(file_format: str) -> None:
    data = sample(file_format)
    cuts = {16 + round(part * (len(data) * 0.97 - 16) / 60) for part in range(61)}

    reasons = {cut: reason_of(data[:cut]) for cut in cuts}

    assert {cut: reason for cut, reason in reasons.items() if reason is not FailureReason.TRUNCATED} == {}


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"])
def test_a_compressed_tiff_that_was_cut_off_gives_a_reason(compression: str) -> None:
    data = encoded(Image.open(BytesIO(sample("PNG"))), "TIFF", compression=compression)

    for part in range(1, 20):
        assert reason_of(data[: len(data) * part // 20]) is FailureReason.TRUNCATED


def test_a_damaged_file_is_no_picture() -> None:
    data = bytearray(sample("PNG"))
    at = data.index(b"IDAT") + 60
    data[at : at + 40] = bytes(40)

    assert reason_of(bytes(data)) is FailureReason.NOT_AN_IMAGE


def open_or_fail(data: bytes) -> None:
    """Nothing but a picture or BadPicture comes out."""
    try:
        picture = open_picture(data, SMALL, min_side=16)
    except BadPicture:
        return
    assert isinstance(picture, Picture)
    assert picture.image.mode == "RGB"
    assert picture.info.width * picture.info.height <= SMALL.max_pixels


quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    open_or_fail(data)


@quick
@given(st.sampled_from(sorted(FORMATS)), st.integers(2, 24), st.binary(max_size=300))
def test_any_bytes_behind_a_true_beginning(file_format: str, kept: int, data: bytes) -> None:
    open_or_fail(sample(file_format)[:kept] + data)


@pytest.mark.parametrize("file_format", FORMATS)
@quick
@given(st.data())
def test_files_that_were_tampered_with(file_format: str, data: st.DataObject) -> None:
    file = bytearray(sample(file_format))
    near_start = st.integers(0, min(200, len(file) - 1))
    anywhere = near_start | st.integers(0, len(file) - 1)
    for at, level in data.draw(st.lists(st.tuples(anywhere, st.integers(0, 255)), max_size=8), "flips"):
        file[at] = level
    if splice := data.draw(st.none() | st.tuples(anywhere, anywhere, anywhere), "splice"):
        start, end, to = splice
        file[to:to] = file[min(start, end) : max(start, end)]
    if cut := data.draw(st.none() | anywhere, "cut"):
        del file[cut:]

    open_or_fail(bytes(file))
