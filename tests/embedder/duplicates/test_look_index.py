"""Copies by look: none is missed where pictures are compared, and the graph beyond finds nearly all."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.look import Look
from sightline_embedder.duplicates.look_index import LookIndex


def turned(bits: NDArray[np.uint8], count: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    unpacked = np.unpackbits(bits)
    unpacked[chance.choice(len(unpacked), count, replace=False)] ^= 1
    return np.packbits(unpacked)


@pytest.mark.parametrize(("compared", "least_found"), [(3_000, 1.0), (1_000, 0.97), (0, 0.97)])
def test_copies_are_those_with_few_bits_turned_and_the_same_shape(compared: int, least_found: float) -> None:
    chance = np.random.default_rng(5)
    originals = chance.integers(0, 256, (3_000, 32), dtype=np.uint8)
    index = LookIndex(most_bits=60, compared=compared)
    index.add([str(number) for number in range(3_000)], [Look(bits, 1.5) for bits in originals])
    asked = range(0, 3_000, 10)

    near = list(index.copies([Look(turned(originals[number], 60, chance), 1.5) for number in asked]))
    far = list(index.copies([Look(turned(originals[number], 61, chance), 1.5) for number in asked]))
    narrow = list(index.copies([Look(originals[number], 1.3) for number in asked]))
    cropped = list(index.copies([Look(originals[number], 1.43) for number in asked]))

    assert np.mean([found == [str(number)] for found, number in zip(near, asked, strict=True)]) >= least_found
    assert all(found in ([], [str(number)]) for found, number in zip(near, asked, strict=True))
    assert far == [[] for _ in asked]
    assert narrow == [[] for _ in asked]
    assert (
        np.mean([found == [str(number)] for found, number in zip(cropped, asked, strict=True)]) >= least_found
    )


@pytest.mark.parametrize("seed", range(40))
def test_none_of_the_copies_among_the_compared_is_missed(seed: int) -> None:
    """A graph of so few, built by several threads at once, missed some in one build of fifteen."""
    chance = np.random.default_rng(seed)
    hashes = chance.integers(0, 256, (400, 32), dtype=np.uint8)
    index = LookIndex(most_bits=40)
    for start in range(0, 400, 256):
        page = range(start, min(start + 256, 400))
        index.add([str(number) for number in page], [Look(hashes[number], 1.0) for number in page])

    found = index.copies([Look(turned(one, 40, chance), 1.0) for one in hashes])

    assert list(found) == [[str(number)] for number in range(400)]


def test_the_nearest_are_found_on_both_sides_of_the_border() -> None:
    chance = np.random.default_rng(11)
    original = chance.integers(0, 256, 32, dtype=np.uint8)
    index = LookIndex(most_bits=60, compared=100)
    far, near = turned(original, 50, chance), turned(original, 5, chance)
    others = [Look(one, 1.0) for one in chance.integers(0, 256, (98, 32), dtype=np.uint8)]
    index.add(["far", "near", *map(str, range(98))], [Look(far, 1.0), Look(near, 1.0), *others])
    index.add(["beyond"], [Look(turned(original, 20, chance), 1.0)])

    assert list(index.copies([Look(original, 1.0), others[7]])) == [["near", "far", "beyond"], ["7"]]


@pytest.mark.parametrize("compared", [0, 1, 20])
def test_nothing_and_one(compared: int) -> None:
    index = LookIndex(most_bits=10, compared=compared)
    look = Look(np.zeros(32, np.uint8), 1.0)

    assert list(index.copies([look, look])) == [[], []]
    index.add([], [])
    index.add(["a"], [look])
    assert list(index.copies([look])) == [["a"]]
    assert list(index.copies([])) == []


@pytest.mark.parametrize("compared", [0, 250, 500])
def test_of_many_copies_enough_are_found_to_join_them(compared: int) -> None:
    index = LookIndex(most_bits=10, compared=compared)
    look = Look(np.full(32, 7, np.uint8), 1.0)
    index.add([str(number) for number in range(500)], [look] * 500)

    assert all(len(found) >= 20 for found in index.copies([look] * 50))
