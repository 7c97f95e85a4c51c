import struct
from collections.abc import Collection
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from sightline.payload import ExifField
from sightline.pictures import Picture, PictureInfo, PictureLimits, open_picture
from sightline.pictures.exif import Location

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
        ("9999:12:31 23:30:00", "-01:00", None),
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


BYTE, ASCII, SHORT, LONG, RATIONAL, DOUBLE = 1, 2, 3, 4, 5, 12
SYDNEY = {1: "S", 2: (33.0, 51.0, 25.2), 3: "E", 4: (151.0, 12.0, 36.0)}
ALL: Collection[ExifField] = ("camera", "gps")


def info_of(
    image: Image.Image,
    limits: PictureLimits,
    tags: dict[int, Any],
    gps: dict[int, Any],
    file_format: str = "JPEG",
    fields: Collection[ExifField] = ALL,
) -> PictureInfo:
    """What is read from a file with these tags and coordinates."""
    exif = Image.Exif()
    exif.update(tags)
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    file = BytesIO()
    image.save(file, file_format, exif=exif.tobytes())
    return open_picture(file.getvalue(), limits, 64, fields).info


def info_with(block: bytes, image: Image.Image, limits: PictureLimits) -> PictureInfo:
    """What is read from a file with this EXIF block."""
    file = BytesIO()
    image.save(file, "JPEG", exif=block)
    return open_picture(file.getvalue(), limits, 64, ALL).info


def exif_block(*entries: tuple[int, int, int, bytes]) -> bytes:
    """EXIF with one directory of (tag, type, count, four bytes of value)."""
    directory = b"".join(struct.pack(">HHI4s", *entry) for entry in entries)
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + directory + bytes(4)


def camera_of(image: Image.Image, limits: PictureLimits, maker: str | None, model: str | None) -> str | None:
    tags = {ExifTags.Base.Make: maker, ExifTags.Base.Model: model}
    return info_of(image, limits, {tag: value for tag, value in tags.items() if value is not None}, {}).camera


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_camera_and_place_are_read_if_asked_for(
    corners: Image.Image, limits: PictureLimits, file_format: str
) -> None:
    tags = {ExifTags.Base.Make: "Example", ExifTags.Base.Model: "Mk II"}

    info = info_of(corners, limits, tags, SYDNEY, file_format)

    assert info.camera == "Example Mk II"
    assert info.location is not None
    assert (info.location.lat, info.location.lon) == pytest.approx((-33.857, 151.21))


def test_only_what_is_asked_for_is_read(corners: Image.Image, limits: PictureLimits) -> None:
    tags = {ExifTags.Base.Model: "Mk II"}

    nothing = info_of(corners, limits, tags, SYDNEY, fields=())
    camera = info_of(corners, limits, tags, SYDNEY, fields=["camera"])
    place = info_of(corners, limits, tags, SYDNEY, fields=["gps"])

    assert (nothing.camera, nothing.location) == (None, None)
    assert (camera.camera, camera.location) == ("Mk II", None)
    assert (place.camera, place.location is None) == (None, False)


@pytest.mark.parametrize(
    ("maker", "model", "expected"),
    [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("Apple", None, "Apple"),
        (None, "iPhone 12", "iPhone 12"),
        ("Apple\0\0garbage", "  iPhone\t12\n", "Apple iPhone 12"),
        ("\x1b[31m", "\x07", "[31m"),
        ("  ", "\0", None),
        (None, None, None),
    ],
)
def test_the_camera_s_name(
    corners: Image.Image, limits: PictureLimits, maker: str | None, model: str | None, expected: str | None
) -> None:
    assert camera_of(corners, limits, maker, model) == expected


def test_a_camera_s_name_of_64_kilobytes_is_trimmed(corners: Image.Image, limits: PictureLimits) -> None:
    assert camera_of(corners, limits, None, "x" * 65_000) == "x" * 256
    assert camera_of(corners, limits, "y" * 300, "x" * 300) == "y" * 256
    assert camera_of(corners, limits, None, "x" + " " * 60_000 + "z") == "x"


@pytest.mark.parametrize(
    ("gps", "expected"),
    [
        ({1: "N", 2: (48.0, 51.5, 0.0), 3: "W", 4: (2.0, 0.0, 36.0)}, Location(48.858333, -2.01)),
        ({1: "n", 2: (90.0, 0.0, 0.0), 3: "e", 4: (180.0, 0.0, 0.0)}, Location(90.0, 180.0)),
        ({1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (9.0, 60.0, 0.0)}, Location(0.0, 10.0)),
    ],
)
def test_the_place(
    corners: Image.Image, limits: PictureLimits, gps: dict[int, Any], expected: Location
) -> None:
    location = info_of(corners, limits, {}, gps).location

    assert location is not None
    assert (location.lat, location.lon) == pytest.approx((expected.lat, expected.lon), abs=1e-6)


@pytest.mark.parametrize(
    "broken",
    [
        {2: (400.0, 0.0, 0.0)},
        {2: (90.0, 0.0, 1.0)},
        {4: (180.0, 30.0, 0.0)},
        {2: (33.0, 61.0, 0.0)},
        {2: (33.0, 51.0)},
        {2: (33.0,) * 4},
        {2: 33.0},
        {1: "X"},
        {1: ""},
        {1: "NS"},
        {3: 7},
        {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},
    ],
    ids=str,
)
def test_a_place_that_cannot_be_is_none(
    corners: Image.Image, limits: PictureLimits, broken: dict[int, Any]
) -> None:
    assert info_of(corners, limits, {}, SYDNEY | broken).location is None


@pytest.mark.parametrize("missing", SYDNEY)
def test_half_a_place_is_none(corners: Image.Image, limits: PictureLimits, missing: int) -> None:
    half = {tag: value for tag, value in SYDNEY.items() if tag != missing}

    assert info_of(corners, limits, {}, half).location is None


@pytest.mark.parametrize(("numerator", "denominator"), [(33, 0), (0, 0), (2**32 - 1, 1), (2**32 - 1, 0)])
def test_a_fraction_that_is_no_number_is_no_place(
    corners: Image.Image, limits: PictureLimits, numerator: int, denominator: int
) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(SYDNEY)
    block = exif.tobytes()
    sound, broken = struct.pack(">II", 33, 1), struct.pack(">II", numerator, denominator)
    assert block.count(sound) == 1

    assert info_with(block.replace(sound, broken), corners, limits).location is None


def test_a_broken_list_of_coordinates_costs_nothing_but_itself(
    corners: Image.Image, limits: PictureLimits
) -> None:
    for offset in (0, 1, 8, 0xFFFFFFFF):
        turned, model = (0x112, SHORT, 1, b"\0\6\0\0"), (0x110, ASCII, 4, b"Mk2\0")
        block = exif_block(model, turned, (0x8825, LONG, 1, struct.pack(">I", offset)))

        info = info_with(block, corners, limits)

        assert (info.width, info.height) == (corners.height, corners.width)
        assert (info.camera, info.location) == ("Mk2", None)


@pytest.mark.parametrize(
    ("kind", "count", "value", "expected"),
    [
        (ASCII, 4, b"Mk2\0", "Mk2"),
        (ASCII, 4, b"\xe9t\xe9\0", "\xe9t\xe9"),
        (ASCII, 4, bytes(4), None),
        (ASCII, 0, bytes(4), None),
        (ASCII, 0xFFFFFFFF, bytes(4), None),
        (BYTE, 4, b"\xff\xfe\0\1", None),
        (SHORT, 2, b"\0\7\0\7", None),
        (LONG, 1, b"\0\0\0\7", None),
        (RATIONAL, 1, b"\0\0\0\x08", None),
        (DOUBLE, 1, b"\0\0\0\x08", None),
        (99, 1, b"\0\0\0\x08", None),
    ],
)
def test_a_camera_s_name_of_any_type(
    corners: Image.Image, limits: PictureLimits, kind: int, count: int, value: bytes, expected: str | None
) -> None:
    assert info_with(exif_block((0x110, kind, count, value)), corners, limits).camera == expected
