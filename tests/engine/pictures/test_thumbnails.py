from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from sightline.pictures.thumbnails import make_thumbnail


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((640, 427), 384, (384, 256)),
        ((427, 640), 384, (256, 384)),
        ((4000, 3000), 256, (256, 192)),
        ((384, 384), 384, (384, 384)),
        ((100, 50), 384, (100, 50)),
        ((9000, 2), 384, (384, 1)),
        ((2, 9000), 384, (1, 384)),
    ],
)
def test_the_long_side_is_bounded_and_never_enlarged(
    size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    thumbnail = opened(make_thumbnail(Image.new("RGB", size), side))

    assert thumbnail.format == "WEBP"
    assert thumbnail.size == expected


def test_it_looks_like_the_picture(china: Image.Image) -> None:
    thumbnail = opened(make_thumbnail(china, 256)).convert("RGB")
    careful = china.resize(thumbnail.size, Image.Resampling.LANCZOS)

    difference = np.abs(np.asarray(thumbnail, np.int16) - np.asarray(careful, np.int16)).mean()

    assert difference < 6
    mirrored = careful.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert np.abs(np.asarray(thumbnail, np.int16) - np.asarray(mirrored, np.int16)).mean() > 30


def test_metadata_is_left_behind(china: Image.Image) -> None:
    image = china.copy()
    exif = Image.Exif()
    exif[0x010E] = "home address"
    image.info = {
        "exif": exif.tobytes(),
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        "xmp": b"<x:xmpmeta>home address</x:xmpmeta>",
    }

    data = make_thumbnail(image, 128)

    assert b"home address" not in data
    assert not {"exif", "icc_profile", "xmp"} & opened(data).info.keys()
