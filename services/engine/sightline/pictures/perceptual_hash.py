"""The hash of how a picture looks, by which copies of it are told; the one door to imagehash."""

from math import isqrt

import imagehash
import scipy.fftpack  # noqa: F401  # imagehash imports it with its first hash, when memory is bounded
from PIL import Image

from sightline.look import HASH_BITS

_HASH_SIDE = isqrt(HASH_BITS)
_SEEN_SIDE = 128


def perceptual_hash(image: Image.Image) -> str:
    """The pHash of a picture: HASH_BITS bits as hexadecimal digits.

    The signs of its lowest frequencies (a discrete cosine transform of 64 x 64 grey pixels) against their
    median: scaling and compression turn few of them (Zauner, Implementation and Benchmarking of Perceptual
    Image Hash Functions, 2010).
    """
    # reducing_gap 1: whole-number box averaging first, then bilinear over the rest.
    seen = image.resize((_SEEN_SIDE, _SEEN_SIDE), Image.Resampling.BILINEAR, reducing_gap=1.0)
    return str(imagehash.phash(seen, hash_size=_HASH_SIDE))
