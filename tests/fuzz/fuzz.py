"""Fuzz targets: what strangers send is decoded, parsed or refused with a reason, and nothing else happens.

    python tests/fuzz/fuzz.py decoder CORPUS -max_total_time=600

The arguments after the target are libFuzzer's. Coverage leads atheris from the corpus to inputs that
reach new code; an input that breaks the promise is written to a file, and the same command with that file
repeats it.
"""

import sys
from collections.abc import Callable

import atheris

with atheris.instrument_imports(include=["sightline", "sightline_api", "PIL"]):
    from sightline.errors import BadPicture, BadRequest
    from sightline.index.filters import filter_json, parse_filter
    from sightline.pictures import PictureLimits, open_picture
    from sightline_api.search.grammar import parse_query

LIMITS = PictureLimits(max_bytes=1 << 20, max_pixels=1_000_000)


def decoder(data: bytes) -> None:
    """Any bytes are a picture, upright and within the limits, or have a reason why not."""
    try:
        picture = open_picture(data, LIMITS, min_side=64)
    except BadPicture:
        return
    assert picture.image.mode == "RGB"
    assert 0 < picture.info.width * picture.info.height <= LIMITS.max_pixels


def filters(data: bytes) -> None:
    """Any text is a filter, which reads back as itself, or is refused."""
    try:
        tree = parse_filter(data.decode(errors="replace"))
    except BadRequest:
        return
    assert parse_filter(filter_json(tree)) == tree


def queries(data: bytes) -> None:
    """Any text is a query of texts that are not empty, or names nothing to look for."""
    try:
        parts = parse_query(data.decode(errors="replace"))
    except BadRequest:
        return
    assert all(part.text.strip() for part in parts)
    assert any(part.weight > 0 for part in parts)


TARGETS: dict[str, Callable[[bytes], None]] = {"decoder": decoder, "filters": filters, "queries": queries}

if __name__ == "__main__":
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
