"""Why decoding failed, in the words of FailureReason, from what the decoders raise."""

from PIL import Image, UnidentifiedImageError

from sightline.errors import BadPicture, FailureReason
from sightline.pictures.structure import Structure, check_structure, declared_pixels

_CUT_OFF = ("truncated", "unexpected end", "not enough", "premature")
_UNSUPPORTED = ("unsupported", "not supported", "not available", "cannot handle", "unknown pixel mode")
_NO_MEMORY = ("out of memory", "memory allocation", "cannot allocate", "security limit")
_TEXT_BOMB = ("max_text", "decompressed data too large")


_PEAK_BYTES_PER_PIXEL = 12
"""What decoders of whole pictures hold at their peak: planes, a canvas or two, Pillow's own copy."""


def explain(
    error: Exception, data: bytes, name: str, max_pixels: int, memory_bytes: int | None = None
) -> BadPicture:
    """The BadPicture for an `error` raised while `data`, which begins like format `name`, was decoded."""
    said = str(error).lower()
    kind = name.upper()
    if isinstance(error, Image.DecompressionBombError):
        return BadPicture(
            FailureReason.TOO_MANY_PIXELS, f"The picture has more than {max_pixels:,} pixels, the limit."
        )
    if isinstance(error, MemoryError) or _says(said, _NO_MEMORY) or _may_lack(memory_bytes, data, name):
        return BadPicture(
            FailureReason.TOO_MANY_PIXELS,
            f"Decoding this {kind} file takes more memory than the memory limit allows.",
        )
    if _says(said, _TEXT_BOMB):
        return BadPicture(
            FailureReason.TOO_MANY_BYTES,
            f"The texts inside this {kind} file unpack to more bytes than is allowed.",
        )
    structure = check_structure(data, name)
    if structure is Structure.DAMAGED:
        return BadPicture(FailureReason.NOT_AN_IMAGE, f"The {kind} file is damaged and gives no picture.")
    if structure is Structure.CUT_OFF or _says(said, _CUT_OFF):
        return BadPicture(FailureReason.TRUNCATED, f"The {kind} file is cut off: its end is missing.")
    if isinstance(error, UnidentifiedImageError | NotImplementedError) or _says(said, _UNSUPPORTED):
        return BadPicture(
            FailureReason.UNSUPPORTED_FORMAT,
            f"The {kind} file is of a variety that is not read, or damaged. Convert it to JPEG or PNG.",
        )
    return BadPicture(FailureReason.NOT_AN_IMAGE, f"The {kind} file is damaged and gives no picture.")


def _may_lack(memory_bytes: int | None, data: bytes, name: str) -> bool:
    return memory_bytes is not None and declared_pixels(data, name) * _PEAK_BYTES_PER_PIXEL > memory_bytes


def _says(said: str, phrases: tuple[str, ...]) -> bool:
    return any(phrase in said for phrase in phrases)
