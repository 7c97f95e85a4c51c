"""Pictures of every format that is read, and files that are not: no pictures, or of other formats."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from picture_files import FORMATS, encoded, reason_of
from PIL import Image, ImageCms, TiffImagePlugin

from sightline.errors import FailureReason
from sightline.pictures import PictureLimits, open_picture, register_decoders


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


def test_decoders_may_be_registered_again() -> None:
    opener = Image.OPEN["HEIF"]

    register_decoders()

    assert Image.OPEN["HEIF"] is opener
