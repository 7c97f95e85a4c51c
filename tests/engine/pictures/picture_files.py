"""Pictures as files of every format that is read, and the reason why one is not."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from sightline.errors import BadPicture, FailureReason
from sightline.pictures import PictureLimits, open_picture

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
