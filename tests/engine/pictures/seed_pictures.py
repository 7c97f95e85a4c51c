"""Small sound pictures in every format and mode that decoders treat differently, for mutations."""

import struct
import zlib
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import skimage
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, PngImagePlugin
from tiled_heic import tiled_heic

from sightline.pictures import register_decoders

_SIZE = (72, 56)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Passes of PNG's interlacing: first column, first row, column step, row step."""


@dataclass(frozen=True)
class SeedPicture:
    """A sound file; `format` is one of jpeg, png, webp, gif, bmp, tiff, avif, heic."""

    name: str
    format: str
    data: bytes


@cache
def seed_pictures() -> tuple[SeedPicture, ...]:
    """All of them, from one photo; the bytes depend on the encoders of the installed libraries."""
    register_decoders()
    with Image.open(Path(skimage.__file__).parent / "data" / "chelsea.png") as file:
        photo = file.convert("RGB").resize(_SIZE)
    photo.info = {}
    veiled = photo.copy()
    veiled.putalpha(Image.linear_gradient("L").resize(_SIZE))
    frames = [photo.rotate(turn) for turn in (90, 180)]
    files = _jpegs(photo) | _pngs(photo, veiled, frames) | _gifs_and_bmps(photo, veiled, frames)
    files |= _tiffs(photo, veiled, frames) | _moderns(photo, veiled, frames)
    return tuple(SeedPicture(name, name.partition("-")[0], data) for name, data in files.items())


def _jpegs(photo: Image.Image) -> dict[str, bytes]:
    small = photo.resize((24, 16))
    return {
        "jpeg-baseline": _encoded(photo, "JPEG", exif=_exif(), icc_profile=_profile(), dpi=(72, 72)),
        "jpeg-progressive": _encoded(photo, "JPEG", progressive=True, subsampling=0),
        "jpeg-cmyk": _encoded(photo.convert("CMYK"), "JPEG"),
        "jpeg-grey-restarts": _encoded(photo.convert("L"), "JPEG", restart_marker_blocks=4),
        "jpeg-mpo": _encoded(photo, "MPO", save_all=True, append_images=[small]),
    }


def _pngs(photo: Image.Image, veiled: Image.Image, frames: list[Image.Image]) -> dict[str, bytes]:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "A cat. " * 40, zip=True)
    texts.add_itxt("Title", "Chelsea", "en", "Titre", zip=True)
    deep = np.asarray(photo.convert("L"), np.uint16) * 257
    palette = photo.quantize(16)
    return {
        "png-rgb": _encoded(photo, "PNG", exif=_exif(), icc_profile=_profile(), pnginfo=texts),
        "png-rgba": _encoded(veiled, "PNG"),
        "png-grey16": _encoded(Image.fromarray(deep), "PNG"),
        "png-palette-alpha": _encoded(palette, "PNG", transparency=bytes(range(0, 256, 16))),
        "png-bilevel": _encoded(photo.convert("1"), "PNG"),
        "png-interlaced16": _interlaced_png(np.asarray(photo, np.uint16) * 257),
        "png-animated": _encoded(photo, "PNG", save_all=True, append_images=frames),
    }


def _gifs_and_bmps(photo: Image.Image, veiled: Image.Image, frames: list[Image.Image]) -> dict[str, bytes]:
    return {
        "gif-still": _encoded(photo, "GIF", interlace=0, comment=b"A cat."),
        "gif-interlaced-alpha": _encoded(veiled, "GIF"),
        "gif-animated": _encoded(photo, "GIF", save_all=True, append_images=frames, loop=0, disposal=2),
        "bmp-rgb": _encoded(photo, "BMP"),
        "bmp-rgba": _encoded(veiled, "BMP"),
        "bmp-palette": _encoded(photo.quantize(64), "BMP"),
        "bmp-bilevel": _encoded(photo.convert("1"), "BMP"),
        "bmp-runs": _run_length_bmp(np.asarray(photo.convert("L"))),
    }


def _tiffs(photo: Image.Image, veiled: Image.Image, frames: list[Image.Image]) -> dict[str, bytes]:
    pixels = np.asarray(photo)
    tiled = BytesIO()
    tifffile.imwrite(tiled, pixels, tile=(32, 32), compression="zlib", predictor=True, photometric="rgb")
    big = BytesIO()
    lab = photo.convert("LAB")
    lab.info = {}  # a profile that is dated
    tifffile.imwrite(big, pixels.astype(np.float32).mean(axis=2), bigtiff=True)
    return {
        "tiff-strips": _encoded(photo, "TIFF", exif=_exif(), icc_profile=_profile()),
        "tiff-lzw": _encoded(veiled, "TIFF", compression="tiff_lzw"),
        "tiff-deflate": _encoded(photo.convert("CMYK"), "TIFF", compression="tiff_adobe_deflate"),
        "tiff-jpeg": _encoded(photo, "TIFF", compression="jpeg"),
        "tiff-packbits": _encoded(photo.quantize(16), "TIFF", compression="packbits"),
        "tiff-group4": _encoded(photo.convert("1"), "TIFF", compression="group4"),
        "tiff-lab": _encoded(lab, "TIFF"),
        "tiff-pages": _encoded(photo, "TIFF", save_all=True, append_images=frames, compression="tiff_lzw"),
        "tiff-tiled": tiled.getvalue(),
        "tiff-big-float": big.getvalue(),
    }


def _moderns(photo: Image.Image, veiled: Image.Image, frames: list[Image.Image]) -> dict[str, bytes]:
    animation: dict[str, Any] = {"save_all": True, "append_images": frames}
    notes = {"exif": _exif(), "icc_profile": _profile(), "xmp": b"<x:xmpmeta/>"}
    return {
        "webp-lossy": _encoded(photo, "WEBP", **notes),
        "webp-plain": _encoded(photo, "WEBP"),
        "webp-lossless": _encoded(photo, "WEBP", lossless=True),
        "webp-alpha": _encoded(veiled, "WEBP"),
        "webp-animated": _encoded(photo, "WEBP", **animation),
        "avif-rgb": _encoded(photo, "AVIF", **notes),
        "avif-alpha": _encoded(veiled, "AVIF"),
        "avif-animated": _undated(_encoded(photo, "AVIF", **animation)),
        "heic-rgb": _encoded(photo, "HEIF", **notes),
        "heic-alpha": _encoded(veiled, "HEIF"),
        "heic-tiled": tiled_heic(_encoded(photo.resize((64, 64)), "HEIF"), 2, 2, (120, 100)),
        "heic-pictures": _encoded(photo, "HEIF", **animation),
    }


def _undated(movie: bytes) -> bytes:
    """Without the time of its making, which stands in three boxes (ISO 14496-12, 8.2.2, 8.3.2, 8.4.2)."""
    for kind in (b"mvhd", b"tkhd", b"mdhd"):
        at = movie.index(kind) + 8
        movie = movie[:at] + bytes(16 if movie[at - 4] else 8) + movie[at + (16 if movie[at - 4] else 8) :]
    return movie


def _encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def _profile() -> bytes:
    """sRGB, dated 2000-01-01 in place of now."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


def _exif() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Example", "Model 1"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2023:07:14 09:08:07"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "S", 2: (33.0, 51.0, 25.5), 3: "E", 4: (151.0, 12.0, 40.0)})
    return exif.tobytes()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk with its true length and checksum (PNG, section 5.3)."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _interlaced_png(pixels: NDArray[np.uint16]) -> bytes:
    """16-bit colour in the seven passes of Adam7, which Pillow cannot write."""
    rows = [
        b"\0" + row.astype(">u2").tobytes()
        for left, top, across, down in _ADAM7
        for row in pixels[top::down, left::across]
    ]
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, body) for kind, body in chunks)


def _run_length_bmp(grey: NDArray[np.uint8]) -> bytes:
    """Eight bits a pixel in runs (BI_RLE8), which Pillow cannot write."""
    coded = b"".join(b"".join(b"\1" + bytes([level]) for level in row) + b"\0\0" for row in grey[::-1])
    palette = b"".join(bytes([level, level, level, 0]) for level in range(256))
    height, width = grey.shape
    pixels = coded + b"\0\1"
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(pixels), 2835, 2835, 256, 0)
    start = 14 + len(info) + len(palette)
    return struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start) + info + palette + pixels
