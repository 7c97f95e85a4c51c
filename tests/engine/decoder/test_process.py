import pytest

from sightline.decoder.process import unpack
from sightline.decoder.task import Decoded

NONSENSE = [
    b"",
    b"\0\0\0\2",
    b"\0\0\0\2{}",
    b"\0\0\0\2[]",
    b"\0\0\0\4null",
    b"\xff\xff\xff\xff{}",
    b"\0\0\0\x20" + b'{"reason": "no such", "detail": 1}'[:32],
    b'\0\0\0\x23{"reason": "made_up", "detail": "x"}',
]


@pytest.mark.parametrize("answer", NONSENSE)
def test_what_a_taken_over_process_may_answer_is_refused(answer: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        unpack(answer)


def answer_with(location: bytes = b"null", perceptual_hash: bytes = b"null") -> bytes:
    head = (
        b'{"format": "png", "width": 1, "height": 1, "bytes": 1, "taken_at": null, "camera": null, '
        b'"location": %b, "shapes": [[1, 224, 224, 3]], "has_thumbnail": false, "perceptual_hash": %b}'
    ) % (location, perceptual_hash)
    return len(head).to_bytes(4, "big") + head + bytes(224 * 224 * 3)


@pytest.mark.parametrize("location", [b"[400, 0]", b"[NaN, 0]", b"[1]", b"[1, 2, 3]", b'["1", "2"]', b"7"])
def test_a_place_that_is_none_is_refused(location: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        unpack(answer_with(location))


@pytest.mark.parametrize(
    "spoilt", [b'"ab"', b'"%b"' % (b"x" * 64), b'"%b"' % (b"A" * 64), b"7", b"[]", b'""']
)
def test_a_hash_that_is_none_is_refused(spoilt: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        unpack(answer_with(perceptual_hash=spoilt))
    assert unpack(answer_with(perceptual_hash=b'"%b"' % (b"0a" * 32))).perceptual_hash == "0a" * 32


def test_pixels_that_are_missing_are_refused() -> None:
    whole = answer_with()

    assert isinstance(unpack(whole), Decoded)
    with pytest.raises(ValueError, match="buffer"):
        unpack(whole[:-1])
