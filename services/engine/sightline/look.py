"""How a picture looks, as far as duplicates are told by it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.payload import Payload

HASH_BITS = 256


@dataclass(frozen=True)
class Look:
    """How a picture looks: the bits of its perceptual hash, uint8 of shape (32,), and width over height."""

    bits: NDArray[np.uint8]
    shape: float


def look_of(payload: Payload) -> Look | None:
    """The look of a stored picture, None for one that was indexed without a perceptual hash."""
    if payload.perceptual_hash is None or not payload.width or not payload.height:
        return None
    bits = np.frombuffer(bytes.fromhex(payload.perceptual_hash), dtype=np.uint8)
    return Look(bits, payload.width / payload.height)
