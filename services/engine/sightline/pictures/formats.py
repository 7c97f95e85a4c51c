"""Which picture format bytes claim to be, by their first bytes alone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class _Signature:
    name: str
    offset: int
    magic: bytes


_READABLE = (
    _Signature("jpeg", 0, b"\xff\xd8\xff"),
    _Signature("png", 0, b"\x89PNG\r\n\x1a\n"),
    _Signature("gif", 0, b"GIF87a"),
    _Signature("gif", 0, b"GIF89a"),
    _Signature("webp", 8, b"WEBP"),
    _Signature("bmp", 0, b"BM"),
    _Signature("tiff", 0, b"II*\0"),
    _Signature("tiff", 0, b"MM\0*"),
    _Signature("tiff", 0, b"II+\0"),
    _Signature("tiff", 0, b"MM\0+"),
    _Signature("avif", 4, b"ftypavif"),
    _Signature("avif", 4, b"ftypavis"),
    *(
        _Signature("heic", 4, b"ftyp" + brand)
        for brand in b"heic heix heim heis hevc hevx hevm hevs mif1 msf1".split()
    ),
)

# Camera raw files come first: some of them begin like a TIFF file.
_FOREIGN = (
    _Signature("Canon raw (CR2)", 8, b"CR\x02\0"),
    _Signature("Canon raw (CR3)", 4, b"ftypcrx "),
    _Signature("Olympus raw", 0, b"IIRO"),
    _Signature("Olympus raw", 0, b"IIRS"),
    _Signature("Olympus raw", 0, b"MMOR"),
    _Signature("Panasonic raw", 0, b"IIU\0"),
    _Signature("Fujifilm raw", 0, b"FUJIFILMCCD-RAW"),
    _Signature("Sigma raw", 0, b"FOVb"),
    _Signature("JPEG XL", 0, b"\xff\x0a"),
    _Signature("JPEG XL", 0, b"\0\0\0\x0cJXL \r\n\x87\n"),
    _Signature("JPEG 2000", 0, b"\0\0\0\x0cjP  \r\n\x87\n"),
    _Signature("JPEG 2000", 0, b"\xff\x4f\xff\x51"),
    _Signature("JPEG XR", 0, b"II\xbc\x01"),
    _Signature("Photoshop", 0, b"8BPS"),
    _Signature("GIMP", 0, b"gimp xcf"),
    _Signature("OpenEXR", 0, b"v/1\x01"),
    _Signature("Radiance HDR", 0, b"#?RADIANCE"),
    _Signature("DirectDraw Surface", 0, b"DDS "),
    _Signature("icon (ICO)", 0, b"\0\0\x01\0"),
    _Signature("cursor (CUR)", 0, b"\0\0\x02\0"),
    _Signature("icon (ICNS)", 0, b"icns"),
    _Signature("QOI", 0, b"qoif"),
    _Signature("FITS", 0, b"SIMPLE  ="),
    _Signature("DICOM", 128, b"DICM"),
    _Signature("EPS", 0, b"%!PS-Adobe"),
    _Signature("EPS", 0, b"\xc5\xd0\xd3\xc6"),
    _Signature("DjVu", 0, b"AT&TFORM"),
    _Signature("FLIF", 0, b"FLIF"),
    _Signature("BPG", 0, b"BPG\xfb"),
    _Signature("WMF", 0, b"\xd7\xcd\xc6\x9a"),
    _Signature("SGI", 0, b"\x01\xda\x01"),
    _Signature("SGI", 0, b"\x01\xda\0"),
    *(
        _Signature("Netpbm", 0, b"P" + kind + end)
        for kind in (b"%d" % n for n in range(1, 8))
        for end in (b"\n", b" ")
    ),
)

_SVG_WINDOW_BYTES = 1024


def readable_format(data: bytes) -> str | None:
    """The name of the readable format that `data` begins like, as `jpeg`; None if there is none."""
    return _first_match(data, _READABLE)


def foreign_format(data: bytes) -> str | None:
    """The name of a picture format that `data` begins like and that is not read; None if there is none."""
    return _first_match(data, _FOREIGN) or ("SVG" if _is_svg(data) else None)


def _first_match(data: bytes, signatures: tuple[_Signature, ...]) -> str | None:
    for signature in signatures:
        if data.startswith(signature.magic, signature.offset):
            return signature.name
    return None


def _is_svg(data: bytes) -> bool:
    beginning = data[:_SVG_WINDOW_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    return beginning.startswith(b"<svg") or (
        beginning.startswith((b"<?xml", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in beginning
    )
