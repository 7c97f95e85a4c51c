"""Small pictures for people to look at."""

from io import BytesIO

from PIL import Image

_QUALITY = 80
_FASTEST_METHOD = 0
"""WebP's effort, 0 to 6: 4, the default, takes three times as long for a few per cent of the size."""


def make_thumbnail(image: Image.Image, side: int) -> bytes:
    """An RGB image as WebP with a long side of at most `side` pixels; never enlarged, without metadata."""
    longest = max(image.size)
    if longest > side:
        width, height = (max(1, round(length * side / longest)) for length in image.size)
        # reducing_gap 1: whole-number box averaging first, then bilinear over the rest.
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.0)
    encoded = BytesIO()
    image.save(encoded, "WEBP", quality=_QUALITY, method=_FASTEST_METHOD, icc_profile=b"", exif=b"", xmp=b"")
    return encoded.getvalue()
