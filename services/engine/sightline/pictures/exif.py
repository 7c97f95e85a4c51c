"""What a picture's EXIF block says about its making: which way is up, when, with what and where."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from PIL import ExifTags, Image

from sightline.payload import ExifField

_DATE_TIME = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
_FIRST_PHOTOGRAPH_YEAR = 1826

_TO_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


MAX_CAMERA_CHARACTERS = 256


@dataclass(frozen=True)
class Location:
    """A place in degrees (WGS 84), north and east positive; raises ValueError for what is no place."""

    lat: float
    lon: float

    def __post_init__(self) -> None:
        """Refuse numbers out of range, and those that are none."""
        if not (abs(self.lat) <= 90 and abs(self.lon) <= 180):
            raise ValueError(f"There is no place {self.lat}, {self.lon}.")


@dataclass(frozen=True)
class ExifFacts:
    """`orientation` is EXIF's 1 to 8; `taken_at` is timezone-aware; the rest is read if asked for."""

    orientation: int = 1
    taken_at: datetime | None = None
    camera: str | None = None
    location: Location | None = None

    @property
    def swaps_sides(self) -> bool:
        """Whether the upright picture is as wide as the stored one is high."""
        return self.orientation >= 5

    def upright(self, image: Image.Image) -> Image.Image:
        """The image turned and mirrored as the orientation says (EXIF 2.32, tag 274)."""
        method = _TO_UPRIGHT.get(self.orientation)
        return image if method is None else image.transpose(method)


def read_exif(image: Image.Image, fields: Collection[ExifField] = ()) -> ExifFacts:
    """Read EXIF from an opened image, after `load`: some formats keep it behind the pixels.

    `fields` are what to read beside orientation and time. A broken block, or nonsense in it, reads as
    if it were not there.
    """
    try:
        exif = image.getexif()
        orientation = exif.get(ExifTags.Base.Orientation)
        details = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # Pillow promises nothing about broken EXIF, and the picture is good without it.
        return ExifFacts()
    return ExifFacts(
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
        taken_at=_taken_at(
            details.get(ExifTags.Base.DateTimeOriginal), details.get(ExifTags.Base.OffsetTimeOriginal)
        ),
        camera=_camera(exif) if "camera" in fields else None,
        location=_location(exif) if "gps" in fields else None,
    )


def _taken_at(when: Any, offset: Any) -> datetime | None:
    found = _DATE_TIME.fullmatch(when.strip(" \0")) if isinstance(when, str) else None
    if found is None or int(found[1]) < _FIRST_PHOTOGRAPH_YEAR:
        return None
    try:
        year, month, day, hour, minute, second = map(int, found.groups())
        moment = datetime(year, month, day, hour, minute, second, tzinfo=_zone(offset))
        moment.astimezone(UTC)
    except (ValueError, OverflowError):  # as 2023:02:30, 24 hours, or the year 10000 in UTC: no such time
        return None
    return moment


def _zone(offset: Any) -> timezone:
    found = _OFFSET.fullmatch(offset.strip(" \0")) if isinstance(offset, str) else None
    if found is None:
        return UTC
    minutes = int(found[2]) * 60 + int(found[3])
    if minutes > 14 * 60:
        return UTC
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))


def _camera(exif: Image.Exif) -> str | None:
    """Maker and model, as `Canon EOS 5D`: the model often begins with its maker's name already."""
    maker, model = _text(exif.get(ExifTags.Base.Make)), _text(exif.get(ExifTags.Base.Model))
    is_named = maker.lower().split()[:1] == model.lower().split()[:1]
    name = model if is_named else f"{maker} {model}".strip()
    return name[:MAX_CAMERA_CHARACTERS].strip() or None


def _text(value: Any) -> str:
    """Text up to its NUL, in one line of printable characters."""
    if not isinstance(value, str):
        return ""
    text = value.partition("\0")[0][: 2 * MAX_CAMERA_CHARACTERS]
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _location(exif: Image.Exif) -> Location | None:
    """The place, if both coordinates and their hemispheres are there; 0, 0 is what cameras write that
    found no satellites."""
    try:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        place = Location(
            _degrees(gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLatitudeRef], {"N": 1, "S": -1}),
            _degrees(gps[ExifTags.GPS.GPSLongitude], gps[ExifTags.GPS.GPSLongitudeRef], {"E": 1, "W": -1}),
        )
    except Exception:  # As in read_exif: broken coordinates are no coordinates.
        return None
    return place if place.lat or place.lon else None


def _degrees(parts: Any, hemisphere: Any, signs: Mapping[str, int]) -> float:
    """Degrees, minutes and seconds (EXIF 2.32, tags GPSLatitude and GPSLongitude) as one number."""
    degrees, minutes, seconds = (float(part) for part in parts)
    if not (degrees >= 0 and 0 <= minutes <= 60 and 0 <= seconds <= 60):
        raise ValueError(f"{degrees}, {minutes}, {seconds} are no degrees, minutes and seconds.")
    return signs[hemisphere.strip(" \0").upper()] * (degrees + minutes / 60 + seconds / 3600)
