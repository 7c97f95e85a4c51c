"""What a picture's EXIF block says about its making: which way is up, and when it was taken."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from PIL import ExifTags, Image

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


@dataclass(frozen=True)
class ExifFacts:
    """`orientation` is EXIF's 1 to 8; `taken_at` is timezone-aware."""

    orientation: int = 1
    taken_at: datetime | None = None

    @property
    def swaps_sides(self) -> bool:
        """Whether the upright picture is as wide as the stored one is high."""
        return self.orientation >= 5

    def upright(self, image: Image.Image) -> Image.Image:
        """The image turned and mirrored as the orientation says (EXIF 2.32, tag 274)."""
        method = _TO_UPRIGHT.get(self.orientation)
        return image if method is None else image.transpose(method)


def read_exif(image: Image.Image) -> ExifFacts:
    """Read EXIF from an opened image, after `load`: some formats keep it behind the pixels.

    A broken block, or nonsense in it, reads as if it were not there.
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
    )


def _taken_at(when: Any, offset: Any) -> datetime | None:
    found = _DATE_TIME.fullmatch(when.strip(" \0")) if isinstance(when, str) else None
    if found is None or int(found[1]) < _FIRST_PHOTOGRAPH_YEAR:
        return None
    try:
        year, month, day, hour, minute, second = map(int, found.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=_zone(offset))
    except ValueError:  # as 2023:02:30, or 24 hours: no such time
        return None


def _zone(offset: Any) -> timezone:
    found = _OFFSET.fullmatch(offset.strip(" \0")) if isinstance(offset, str) else None
    if found is None:
        return UTC
    minutes = int(found[2]) * 60 + int(found[3])
    if minutes > 14 * 60:
        return UTC
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
