"""Pictures damaged in every way that the mutations know, the same ones for the same seed."""

from collections.abc import Iterator, Mapping
from random import Random

import container_lies
import header_lies
import tiff_lies
from byte_mutations import BYTE_MUTATIONS, Mutation, splice
from seed_pictures import SeedPicture, seed_pictures

_HEADER_LIES: Mapping[str, Mutation] = {
    "jpeg": header_lies.jpeg,
    "png": header_lies.png,
    "gif": header_lies.gif,
    "bmp": header_lies.bmp,
    "tiff": tiff_lies.tiff,
    "webp": container_lies.webp,
    "avif": container_lies.boxes,
    "heic": container_lies.boxes,
}
_EXIF_LIES: Mapping[str, tuple[Mutation, ...]] = dict.fromkeys(("webp", "avif", "heic"), (tiff_lies.exif,))
FORMATS = tuple(_HEADER_LIES)


def mutated_files(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """`count` files with names that say how each was made; formats take turns.

    Half of them have a header that lies; file N of a seed does not depend on `count`.
    """
    for number in range(count):
        random = Random(f"{seed} {number}")
        file_format = FORMATS[number % len(FORMATS)]
        picture = random.choice([one for one in seed_pictures() if one.format == file_format])
        how, data = _mutated(random, picture)
        yield f"{seed}-{number:04d}-{picture.name}-{how}", data


def _mutated(random: Random, picture: SeedPicture) -> tuple[str, bytes]:
    kind = random.random()
    if kind < 0.05:
        other = random.choice(seed_pictures())
        return f"splice-{other.name}", splice(random, picture.data, other.data)
    how, data = [], picture.data
    if kind < 0.55:
        lies = random.choice((_HEADER_LIES[picture.format],) * 6 + _EXIF_LIES.get(picture.format, ()))
        data = lies(random, data)
        how.append(f"{lies.__name__}_lie")
    for _ in range(random.choice((0, 0, 1)) if how else random.choice((1, 1, 1, 2, 4))):
        mutation = random.choice(BYTE_MUTATIONS)
        data = mutation(random, data) or b"\0"
        how.append(mutation.__name__)
    return "+".join(how), data
