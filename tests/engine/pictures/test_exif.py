from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import numpy as np
import pytest
from PIL import ExifTags, Image

from sightline.pictures import Picture, PictureLimits, open_picture

STORED_FROM_UPRIGHT = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
LOSSY_LEVELS = 8


def open_stored(
    upright: Image.Image, orientation: int, file_format: str, limits: PictureLimits, min_side: int = 64
) -> Picture:
    """Store a picture turned away from upright, with the tag that says how, and open the file."""
    method = STORED_FROM_UPRIGHT[orientation]
    stored = upright if method is None else upright.transpose(method)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = BytesIO()
    stored.save(file, file_format, exif=exif.tobytes(), quality=95)
    return open_picture(file.getvalue(), limits, min_side)


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).mean())


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_picture_is_upright(
    corners: Image.Image, limits: PictureLimits, orientation: int, file_format: str
) -> None:
    picture = open_stored(corners, orientation, file_format, limits)

    assert (picture.info.width, picture.info.height) == corners.size
    assert picture.image.size == corners.size
    assert difference(picture.image, corners) < LOSSY_LEVELS


def test_a_wrong_turn_would_be_seen(corners: Image.Image) -> None:
    for method in (
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.ROTATE_180,
    ):
        assert difference(corners.transpose(method), corners) > 5 * LOSSY_LEVELS


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_decoded_at_reduced_scale_is_upright_and_keeps_its_full_size_in_info(
    corners: Image.Image, limits: PictureLimits, orientation: int
) -> None:
    upright = corners.resize((1600, 800), Image.Resampling.NEAREST)

    picture = open_stored(upright, orientation, "JPEG", limits, min_side=100)

    assert (picture.info.width, picture.info.height) == (1600, 800)
    assert picture.image.size == (400, 200)
    assert difference(picture.image, corners.resize((400, 200), Image.Resampling.NEAREST)) < LOSSY_LEVELS


def test_orientation_in_the_wrong_type_or_range_is_ignored(
    corners: Image.Image, limits: PictureLimits
) -> None:
    for value in (0, 9, 60000):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = value
        file = BytesIO()
        corners.save(file, "PNG", exif=exif.tobytes())
        assert difference(open_picture(file.getvalue(), limits, 64).image, corners) == 0


def test_a_broken_exif_block_costs_nothing_but_itself(corners: Image.Image, limits: PictureLimits) -> None:
    for block in (
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x41" * 99,
    ):
        file = BytesIO()
        corners.save(file, "JPEG", quality=95, exif=block)
        picture = open_picture(file.getvalue(), limits, 64)
        assert difference(picture.image, corners) < LOSSY_LEVELS
        assert picture.info.taken_at is None


@pytest.mark.parametrize(
    ("written", "offset", "expected"),
    [
        ("2023:07:14 09:08:07", None, datetime(2023, 7, 14, 9, 8, 7, tzinfo=UTC)),
        ("2023:07:14 09:08:07\0", None, datetime(2023, 7, 14, 9, 8, 7, tzinfo=UTC)),
        (
            "2023:07:14 09:08:07",
            "+05:30",
            datetime(2023, 7, 14, 9, 8, 7, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        ),
        ("2023:07:14 09:08:07", "-08:00", datetime(2023, 7, 14, 17, 8, 7, tzinfo=UTC)),
        ("2023:07:14 09:08:07", "nonsense", datetime(2023, 7, 14, 9, 8, 7, tzinfo=UTC)),
        ("2023:07:14 09:08:07", "+99:99", datetime(2023, 7, 14, 9, 8, 7, tzinfo=UTC)),
        ("0000:00:00 00:00:00", None, None),
        ("2023:02:30 10:00:00", None, None),
        ("2023:07:14 24:00:00", None, None),
        ("0001:01:01 00:00:00", None, None),
        ("    :  :     :  :  ", None, None),
        ("yesterday", None, None),
        ("", None, None),
        (None, "+01:00", None),
    ],
)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_when_the_picture_was_taken(
    corners: Image.Image,
    limits: PictureLimits,
    file_format: str,
    written: str | None,
    offset: str | None,
    expected: datetime | None,
) -> None:
    exif = Image.Exif()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    if written is not None:
        details[ExifTags.Base.DateTimeOriginal] = written
    if offset is not None:
        details[ExifTags.Base.OffsetTimeOriginal] = offset
    file = BytesIO()
    corners.save(file, file_format, exif=exif.tobytes())

    taken_at = open_picture(file.getvalue(), limits, 64).info.taken_at

    assert taken_at == expected
    assert taken_at is None or taken_at.tzinfo is not None
