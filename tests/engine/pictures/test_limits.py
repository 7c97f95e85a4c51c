"""Limits on bytes and pixels: exact, and kept by files that promise or unpack to more."""

import struct
import time
import zlib
from dataclasses import replace
from io import BytesIO

import pytest
from picture_files import FORMATS, SMALL, encoded, reason_of
from PIL import Image, PngImagePlugin, TiffImagePlugin

from sightline.errors import FailureReason
from sightline.pictures import PictureLimits, open_picture


def test_nothing_is_empty() -> None:
    assert reason_of(b"") is FailureReason.EMPTY


def test_the_limit_on_bytes_is_exact(corners: Image.Image) -> None:
    data = encoded(corners, "PNG")

    open_picture(data, replace(SMALL, max_bytes=len(data)), 64)
    assert reason_of(data, replace(SMALL, max_bytes=len(data) - 1)) is FailureReason.TOO_MANY_BYTES


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("side", [(64, 32), (63, 33)], ids=str)
def test_the_limit_on_pixels_is_exact_and_the_only_one(side: tuple[int, int], file_format: str) -> None:
    pixels = side[0] * side[1]
    data = encoded(Image.new("RGB", side), file_format)
    before = Image.MAX_IMAGE_PIXELS

    open_picture(data, replace(SMALL, max_pixels=pixels), 64)
    assert reason_of(data, replace(SMALL, max_pixels=pixels - 1)) is FailureReason.TOO_MANY_PIXELS
    assert before == Image.MAX_IMAGE_PIXELS


def test_our_limit_may_be_above_pillow_s(monkeypatch: pytest.MonkeyPatch, corners: Image.Image) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)

    assert open_picture(encoded(corners, "PNG"), SMALL, 64).image.size == corners.size


def header_bombs() -> dict[str, bytes]:
    """Small files whose header promises a billion pixels or more."""
    small = Image.new("RGB", (64, 64))
    png = bytearray(encoded(small, "PNG"))
    png[16:24] = struct.pack(">II", 40_000, 40_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    gif = bytearray(encoded(small, "GIF"))
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    gif_frame = bytearray(encoded(small, "GIF"))
    at = gif_frame.index(b",\0\0\0\0")
    gif_frame[at + 5 : at + 9] = struct.pack("<HH", 65535, 65535)
    bmp = bytearray(encoded(small, "BMP"))
    bmp[18:26] = struct.pack("<II", 40_000, 40_000)
    jpeg = bytearray(encoded(small, "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65500, 65500)
    webp = bytearray(encoded(small, "WEBP", xmp=b"<x/>"))
    at = webp.index(b"VP8X")
    webp[at + 12 : at + 18] = (39_999).to_bytes(3, "little") * 2
    tiff = TiffImagePlugin.ImageFileDirectory_v2()
    tiff[256], tiff[257], tiff[258], tiff[259], tiff[262], tiff[273] = 40_000, 40_000, 8, 1, 1, 8
    tiff_file = BytesIO()
    tiff_file.write(b"II*\0\x08\0\0\0")
    tiff.save(tiff_file)
    return {
        "png": bytes(png),
        "gif": bytes(gif),
        "gif_frame": bytes(gif_frame),
        "bmp": bytes(bmp),
        "jpeg": bytes(jpeg),
        "webp": bytes(webp),
        "tiff": tiff_file.getvalue(),
    }


@pytest.mark.parametrize("name", header_bombs())
def test_a_header_that_promises_too_much_is_refused_in_milliseconds(name: str) -> None:
    data = header_bombs()[name]
    limits = PictureLimits(max_bytes=1 << 27, max_pixels=250_000_000)

    # Of this process alone: what others do meanwhile does not count.
    start = time.process_time()
    reason = reason_of(data, limits)

    assert reason is FailureReason.TOO_MANY_PIXELS
    assert time.process_time() - start < 0.1


@pytest.mark.parametrize("chunk_bytes", [70 << 20, 1 << 20])
def test_texts_that_unpack_without_end_are_refused(chunk_bytes: int) -> None:
    texts = PngImagePlugin.PngInfo()
    for number in range((70 << 20) // chunk_bytes):
        texts.add_text(f"t{number}", " " * chunk_bytes, zip=True)

    assert reason_of(encoded(Image.new("L", (8, 8)), "PNG", pnginfo=texts)) is FailureReason.TOO_MANY_BYTES
