import numpy as np
from numpy.typing import NDArray

from sightline.look import Look
from sightline_embedder.duplicates.look_index import LookIndex


def turned(bits: NDArray[np.uint8], count: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    unpacked = np.unpackbits(bits)
    unpacked[chance.choice(len(unpacked), count, replace=False)] ^= 1
    return np.packbits(unpacked)


def test_copies_are_those_with_few_bits_turned_and_the_same_shape() -> None:
    chance = np.random.default_rng(5)
    originals = chance.integers(0, 256, (3_000, 32), dtype=np.uint8)
    index = LookIndex(most_bits=60)
    index.add([str(number) for number in range(3_000)], [Look(bits, 1.5) for bits in originals])
    asked = range(0, 3_000, 10)

    near = list(index.copies([Look(turned(originals[number], 60, chance), 1.5) for number in asked]))
    far = list(index.copies([Look(turned(originals[number], 61, chance), 1.5) for number in asked]))
    narrow = list(index.copies([Look(originals[number], 1.3) for number in asked]))
    cropped = list(index.copies([Look(originals[number], 1.43) for number in asked]))

    # Graphs find nearly all.
    assert np.mean([found == [str(number)] for found, number in zip(near, asked, strict=True)]) >= 0.97
    assert all(found in ([], [str(number)]) for found, number in zip(near, asked, strict=True))
    assert far == [[] for _ in asked]
    assert narrow == [[] for _ in asked]
    assert np.mean([found == [str(number)] for found, number in zip(cropped, asked, strict=True)]) >= 0.97


def test_nothing_and_one() -> None:
    index = LookIndex(most_bits=10)
    look = Look(np.zeros(32, np.uint8), 1.0)

    assert list(index.copies([look, look])) == [[], []]
    index.add([], [])
    index.add(["a"], [look])
    assert list(index.copies([look])) == [["a"]]
    assert list(index.copies([])) == []


def test_of_many_copies_enough_are_found_to_join_them() -> None:
    index = LookIndex(most_bits=10)
    look = Look(np.full(32, 7, np.uint8), 1.0)
    index.add([str(number) for number in range(500)], [look] * 500)

    assert all(len(found) >= 20 for found in index.copies([look] * 50))
