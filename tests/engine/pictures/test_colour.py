import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from sightline.pictures import PictureLimits, open_picture

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255)


@pytest.fixture
def shown(limits: PictureLimits) -> Any:
    """Save an image as a file of some format and open it again: the RGB image a person sees."""

    def open_saved(image: Image.Image, file_format: str, **options: Any) -> Image.Image:
        file = BytesIO()
        image.save(file, file_format, **options)
        return open_picture(file.getvalue(), limits, min_side=224).image

    return open_saved


def png(
    width: int, height: int, depth: int, colour_type: int, pixels: bytes, *chunks: tuple[bytes, bytes]
) -> bytes:
    """A PNG of a kind that Pillow cannot write; `pixels` has a filter byte before each row."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    body = (b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (header, *chunks, body, (b"IEND", b""))
    )


def grey_tiff(pixels: bytes, width: int, bits: int, photometric: int, sample_format: int = 1) -> bytes:
    """A TIFF of one row of grey, of a kind that Pillow cannot write."""
    tags = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 1, 279: len(pixels)}
    tags[339] = sample_format
    entries = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II" + struct.pack("<HI", 42, 8 + len(pixels)) + pixels + directory


def in_12_bits(levels: Sequence[int]) -> bytes:
    """Levels as a TIFF packs them: two in three bytes."""
    return int("".join(f"{level:03x}" for level in levels), 16).to_bytes(len(levels) * 3 // 2, "big")


def greys(image: Image.Image) -> Any:
    """The levels of the first row."""
    return np.asarray(image)[0, :, 0].tolist()


def swapped_profile() -> bytes:
    """sRGB with the red and the blue primary exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    end = 132 + 12 * struct.unpack_from(">I", profile, 128)[0]
    table = bytes(profile[132:end])
    profile[132:end] = (
        table.replace(b"rXYZ", b"\0\0\0\0").replace(b"bXYZ", b"rXYZ").replace(b"\0\0\0\0", b"bXYZ", 1)
    )
    return bytes(profile)


def ink_profile() -> bytes:
    """A CMYK profile whose cyan ink is red, and whose other inks are black."""
    red_paper = [(136, 209, 195) if cyan else (255, 128, 128) for cyan in (0, 1)]
    grid = [
        red_paper[cyan] if not (magenta or yellow or black) else (0, 128, 128)
        for cyan in (0, 1) for magenta in (0, 1) for yellow in (0, 1) for black in (0, 1)
    ]  # fmt: skip
    identity = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    curve = bytes(range(256))
    lut = b"mft1\0\0\0\0\x04\x03\x02\0" + identity + curve * 4 + bytes(np.array(grid, np.uint8)) + curve * 3
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(lut)) + lut
    header = struct.pack(
        ">I4sI4s4s4s12s4s", 128 + len(tags), b"", 0x02400000, b"prtr", b"CMYK", b"Lab ", b"", b"acsp"
    )
    illuminant = struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(68, b"\0") + illuminant.ljust(60, b"\0") + tags


def near(pixel: Any, expected: tuple[int, int, int], levels: int = 3) -> bool:
    return bool(np.abs(np.subtract(pixel, expected)).max() <= levels)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_an_embedded_profile_is_brought_to_srgb(shown: Any, file_format: str) -> None:
    red = Image.new("RGB", (64, 64), RED)

    assert near(shown(red, file_format, icc_profile=swapped_profile()).getpixel((32, 32)), BLUE, 8)
    assert near(shown(red, file_format).getpixel((32, 32)), RED, 8)


def test_a_profile_applies_to_the_colours_under_alpha(shown: Any) -> None:
    half_red = Image.new("RGBA", (8, 8), (*RED, 128))

    assert near(shown(half_red, "PNG", icc_profile=swapped_profile()).getpixel((4, 4)), (127, 127, 255))


def test_a_profile_applies_to_palettes(shown: Any) -> None:
    palette = Image.new("RGB", (8, 8), RED).quantize(4)

    assert near(shown(palette, "PNG", icc_profile=swapped_profile()).getpixel((4, 4)), BLUE)


@pytest.mark.parametrize("profile", [b"no profile at all", swapped_profile()[:200], ink_profile()])
def test_a_profile_that_is_broken_or_for_another_mode_is_ignored(shown: Any, profile: bytes) -> None:
    assert shown(Image.new("RGB", (8, 8), RED), "PNG", icc_profile=profile).getpixel((4, 4)) == RED


def test_an_srgb_profile_changes_nothing(shown: Any, china: Image.Image) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    assert np.array_equal(shown(china, "PNG", icc_profile=srgb), china)


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_is_shown_with_its_profile_or_plainly(shown: Any, file_format: str) -> None:
    cyan = Image.new("CMYK", (64, 64), (255, 0, 0, 0))

    assert near(shown(cyan, file_format).getpixel((32, 32)), (0, 255, 255), 5)
    red, green, blue = shown(cyan, file_format, icc_profile=ink_profile()).getpixel((32, 32))
    assert red > 200
    assert max(green, blue) < 100


def test_lab_is_shown_in_colour(shown: Any) -> None:
    lab = Image.new("LAB", (8, 8), (136, 209, 195))

    red, green, blue = shown(lab, "TIFF").getpixel((4, 4))

    assert red > green + 100
    assert red > blue + 100


@pytest.mark.parametrize(
    ("mode", "clear", "half", "seen_half"),
    [
        ("RGBA", (*RED, 0), (*RED, 128), (255, 127, 127)),
        ("LA", (0, 0), (0, 128), (127, 127, 127)),
    ],
)
def test_transparency_shows_white(shown: Any, mode: str, clear: Any, half: Any, seen_half: Any) -> None:
    assert shown(Image.new(mode, (4, 4), clear), "PNG").getpixel((0, 0)) == WHITE
    assert near(shown(Image.new(mode, (4, 4), half), "PNG").getpixel((0, 0)), seen_half)


@pytest.mark.parametrize("file_format", ["WEBP", "AVIF", "HEIF", "TIFF"])
def test_transparency_shows_white_in_every_format(shown: Any, file_format: str) -> None:
    clear = Image.new("RGBA", (64, 64), (*RED, 0))

    assert near(shown(clear, file_format).getpixel((32, 32)), WHITE)


def test_a_transparent_palette_colour_shows_white(shown: Any) -> None:
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([*RED, *BLUE])
    palette.putpixel((0, 0), 1)

    for file_format in ("PNG", "GIF"):
        image = shown(palette, file_format, transparency=0)
        assert image.getpixel((2, 2)) == WHITE
        assert image.getpixel((0, 0)) == BLUE


def test_half_transparent_palette_colours_are_mixed_with_white(shown: Any) -> None:
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([*RED, *BLUE])

    assert near(shown(palette, "PNG", transparency=b"\x80\xff").getpixel((0, 0)), (255, 127, 127))


@pytest.mark.parametrize(("mode", "key"), [("RGB", RED), ("L", 76)])
def test_the_colour_that_png_declares_transparent_shows_white(shown: Any, mode: str, key: Any) -> None:
    image = Image.new(mode, (4, 4), key)
    image.putpixel((0, 0), 0 if mode == "L" else BLUE)

    seen = shown(image, "PNG", transparency=key)

    assert seen.getpixel((2, 2)) == WHITE
    assert seen.getpixel((0, 0)) == ((0, 0, 0) if mode == "L" else BLUE)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(shown: Any, file_format: str) -> None:
    values = np.array([[0, 257, 32768, 65535]], np.uint16)

    seen = np.asarray(shown(Image.fromarray(values), file_format))[0, :, 0]

    assert seen.tolist() == [0, 1, 128, 255]


def test_12_bit_grey_is_scaled_to_its_own_white(limits: PictureLimits) -> None:
    data = grey_tiff(in_12_bits([0, 1024, 2048, 4095]), 4, 12, photometric=1)

    assert greys(open_picture(data, limits, 1).image) == [0, 64, 128, 255]


@pytest.mark.parametrize("photometric", [0, 1])
def test_16_bit_grey_of_either_direction_is_shown_as_it_is_meant(
    limits: PictureLimits, photometric: int
) -> None:
    data = grey_tiff(struct.pack("<4H", 0, 257, 32768, 65535), 4, 16, photometric)

    expected = [0, 1, 128, 255] if photometric else [255, 254, 127, 0]
    assert greys(open_picture(data, limits, 1).image) == expected


def test_16_bit_grey_whose_zero_is_white_may_be_compressed(shown: Any) -> None:
    image = Image.fromarray(np.array([[0, 257, 32768, 65535]], np.uint16))

    seen = shown(image, "TIFF", compression="tiff_lzw", tiffinfo={262: 0})

    assert greys(seen) == [255, 254, 127, 0]


def test_floating_point_grey_whose_zero_is_white_is_turned_round(limits: PictureLimits) -> None:
    data = grey_tiff(struct.pack("<4f", 0.0, 0.25, 1.0, float("nan")), 4, 32, 0, sample_format=3)

    assert greys(open_picture(data, limits, 1).image) == [255, 191, 0, 0]


def test_16_bit_grey_with_a_transparent_value(limits: PictureLimits) -> None:
    row = b"\0" + struct.pack(">3H", 0, 1000, 65535)

    image = open_picture(png(3, 1, 16, 0, row, (b"tRNS", struct.pack(">H", 1000))), limits, 1).image

    assert [image.getpixel((x, 0)) for x in range(3)] == [(0, 0, 0), WHITE, WHITE]


def test_16_bit_colour_is_scaled(limits: PictureLimits) -> None:
    row = b"\0" + struct.pack(">6H", 65535, 32768, 0, 0, 0, 65535)

    image = open_picture(png(2, 1, 16, 2, row), limits, 1).image

    assert near(image.getpixel((0, 0)), (255, 128, 0), 1)
    assert near(image.getpixel((1, 0)), BLUE, 1)


def test_16_bit_colour_with_a_transparent_colour(limits: PictureLimits) -> None:
    row = b"\0" + struct.pack(">6H", 65535, 32768, 0, 0, 0, 65535)

    data = png(2, 1, 16, 2, row, (b"tRNS", struct.pack(">3H", 65535, 32768, 0)))
    image = open_picture(data, limits, 1).image

    assert image.getpixel((0, 0)) == WHITE
    assert near(image.getpixel((1, 0)), BLUE, 1)


def test_a_dark_transparent_colour_of_16_bits_is_not_taken_for_one_of_8(limits: PictureLimits) -> None:
    row = b"\0" + struct.pack(">6H", 10, 20, 30, 10 << 8, 20 << 8, 30 << 8)

    data = png(2, 1, 16, 2, row, (b"tRNS", struct.pack(">3H", 10, 20, 30)))
    image = open_picture(data, limits, 1).image

    assert image.getpixel((0, 0)) == WHITE
    assert image.getpixel((1, 0)) == (10, 20, 30)


def test_a_transparent_colour_of_8_bits_is_their_last_ones(limits: PictureLimits) -> None:
    """As PNG has it of a file that says more."""
    data = png(2, 1, 8, 2, bytes([0, *RED, *BLUE]), (b"tRNS", struct.pack(">3H", 0x01FF, 0x0100, 0x0100)))
    image = open_picture(data, limits, 1).image

    assert image.getpixel((0, 0)) == WHITE
    assert image.getpixel((1, 0)) == BLUE


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([0.0, 0.5, 1.0], np.float32, [0, 128, 255]),
        ([0.0, 100.0, 255.0], np.float32, [0, 100, 255]),
        ([0.0, 32768.0, 65535.0], np.float32, [0, 128, 255]),
        ([-1.0, 0.0, 1.0], np.float32, [0, 128, 255]),
        ([np.nan, np.inf, 1.0], np.float32, [0, 0, 255]),
        ([7.0, 7.0, 7.0], np.float32, [7, 7, 7]),
        ([0, 100, 255], np.int32, [0, 100, 255]),
        ([0, 32768, 65535], np.int32, [0, 128, 255]),
        ([0, 1 << 29, 1 << 30], np.int32, [0, 128, 255]),
    ],
)
def test_grey_of_32_bits_is_scaled_to_the_white_it_must_have(
    shown: Any, values: list[float], kind: Any, expected: list[int]
) -> None:
    seen = np.asarray(shown(Image.fromarray(np.array([values], kind)), "TIFF"))[0, :, 0]

    assert seen.tolist() == expected


def test_one_bit_is_black_and_white(shown: Any) -> None:
    image = Image.new("1", (4, 4), 1)
    image.putpixel((0, 0), 0)

    for file_format in ("PNG", "TIFF", "BMP"):
        seen = shown(image, file_format)
        assert seen.getpixel((0, 0)) == (0, 0, 0)
        assert seen.getpixel((3, 3)) == WHITE


def test_ycbcr_tiff_is_shown_in_colour(shown: Any) -> None:
    image = Image.new("RGB", (64, 64), GREEN).convert("YCbCr")

    assert near(shown(image, "TIFF", compression="jpeg", quality=95).getpixel((32, 32)), GREEN, 6)
