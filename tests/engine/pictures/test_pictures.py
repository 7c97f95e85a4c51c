import struct
import time
import zlib
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from sightline.errors import BadPicture, FailureReason
from sightline.pictures import Picture, PictureLimits, open_picture, register_decoders

FORMATS = {
    "JPEG": "jpeg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "TIFF": "tiff",
    "AVIF": "avif",
    "HEIF": "heic",
}
SMALL = PictureLimits(max_bytes=1 << 20, max_pixels=1_000_000)


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def reason_of(data: bytes, limits: PictureLimits = SMALL) -> FailureReason:
    with pytest.raises(BadPicture) as caught:
        open_picture(data, limits, min_side=64)
    assert caught.value.detail.endswith(".")
    return caught.value.reason


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).mean())


# What is read


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_format_is_read(china: Image.Image, limits: PictureLimits, file_format: str) -> None:
    data = encoded(china, file_format, **({} if file_format in ("GIF", "BMP") else {"quality": 90}))

    picture = open_picture(data, limits, min_side=2000)

    assert picture.image.mode == "RGB"
    assert picture.image.info == {}
    assert picture.info.format == FORMATS[file_format]
    assert (picture.info.width, picture.info.height) == china.size
    assert picture.info.bytes == len(data)
    assert difference(picture.image, china) < 8


@pytest.mark.parametrize("name", ["retina", "china", "chelsea"])
def test_real_photos_are_read(photo_files: dict[str, Path], limits: PictureLimits, name: str) -> None:
    picture = open_picture(photo_files[name].read_bytes(), limits, min_side=4000)

    with Image.open(photo_files[name]) as plain:
        assert difference(picture.image, plain.convert("RGB")) < 1


def test_a_real_photo_with_a_profile_is_seen_in_its_colours(
    photo_files: dict[str, Path], limits: PictureLimits
) -> None:
    with Image.open(photo_files["rocket"]) as plain:
        expected = ImageCms.profileToProfile(
            plain.convert("RGB"),
            ImageCms.ImageCmsProfile(BytesIO(plain.info["icc_profile"])),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
        picture = open_picture(photo_files["rocket"].read_bytes(), limits, min_side=4000)

        assert expected is not None
        assert difference(picture.image, expected) < 1
        assert difference(picture.image, plain.convert("RGB")) > 4


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "HEIF"])
def test_the_first_frame_of_an_animation_is_shown(limits: PictureLimits, file_format: str) -> None:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "green", "blue")]

    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])

    red, green, blue = open_picture(data, limits, 64).image.getpixel((32, 24))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 15


def test_a_phone_s_jpeg_with_further_pictures_is_a_jpeg(china: Image.Image, limits: PictureLimits) -> None:
    data = encoded(china, "MPO", save_all=True, append_images=[Image.new("RGB", (64, 64))])

    picture = open_picture(data, limits, min_side=50)

    assert picture.info.format == "jpeg"
    assert (picture.info.width, picture.info.height) == china.size
    assert picture.image.size == (160, 107)


@pytest.mark.parametrize("side", [(4000, 3000), (3000, 4000), (5000, 900)], ids=str)
@pytest.mark.parametrize("min_side", [112, 224, 260, 384])
def test_a_jpeg_is_decoded_small_but_never_below_twice_what_is_asked(
    china: Image.Image, limits: PictureLimits, side: tuple[int, int], min_side: int
) -> None:
    data = encoded(china.resize(side), "JPEG")

    picture = open_picture(data, limits, min_side)

    assert (picture.info.width, picture.info.height) == side
    short = min(picture.image.size)
    assert short >= 2 * min_side
    assert short < 4 * min_side or short == min(side)


def test_a_jpeg_smaller_than_asked_keeps_its_size(china: Image.Image, limits: PictureLimits) -> None:
    assert open_picture(encoded(china, "JPEG"), limits, min_side=400).image.size == china.size


# Limits


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


# What is not read


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"<html><body>Not found</body></html>",
        b"%PDF-1.7\n",
        b"\0" * 64,
        b"BMW is a maker of cars.",
        b"PK\3\4zip",
    ],
)
def test_bytes_of_no_picture(data: bytes) -> None:
    assert reason_of(data) is FailureReason.NOT_AN_IMAGE


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0" * 32,
        b"\xff\x0a" + b"\0" * 32,
        b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 32,
        b"8BPS\0\1" + b"\0" * 32,
        b'<?xml version="1.0"?>\n<!-- drawn --><svg xmlns="http://www.w3.org/2000/svg"/>',
        b"\xef\xbb\xbf<svg/>",
        b"II*\0\x10\0\0\0CR\2\0" + b"\0" * 32,
        b"\0\0\0\x18ftypcrx \0\0\0\1" + b"\0" * 32,
        b"FUJIFILMCCD-RAW 0201" + b"\0" * 32,
        b"P6\n2 2\n255\n" + b"\0" * 12,
        b"\0\0\1\0\1\0" + b"\0" * 32,
    ],
    ids=["jxl", "jxl-codestream", "jp2", "psd", "svg-xml", "svg", "cr2", "cr3", "raf", "ppm", "ico"],
)
def test_picture_formats_that_are_not_read(data: bytes) -> None:
    assert reason_of(data) is FailureReason.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("file_format", ["ICO", "PPM", "JPEG2000", "DDS", "SGI", "ICNS", "QOI", "EPS"])
def test_other_formats_that_pillow_knows_are_not_read(corners: Image.Image, file_format: str) -> None:
    assert reason_of(encoded(corners, file_format)) is FailureReason.UNSUPPORTED_FORMAT


def test_a_camera_raw_file_is_not_taken_for_its_preview(corners: Image.Image) -> None:
    dng = TiffImagePlugin.ImageFileDirectory_v2()
    dng[50706] = b"\1\4\0\0"

    assert reason_of(encoded(corners, "TIFF", tiffinfo=dng)) is FailureReason.UNSUPPORTED_FORMAT


def test_a_jpeg_of_12_bits_is_a_variety_that_is_not_read(corners: Image.Image) -> None:
    data = bytearray(encoded(corners, "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12

    assert reason_of(bytes(data)) is FailureReason.UNSUPPORTED_FORMAT


# Cut off and damaged


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


def test_decoders_may_be_registered_again() -> None:
    opener = Image.OPEN["HEIF"]

    register_decoders()

    assert Image.OPEN["HEIF"] is opener
