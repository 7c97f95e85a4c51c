"""Steps of planning: what of a source is planned at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sightline.errors import BadPicture, SightlineError
from sightline.queue.sources import PictureRef
from sightline_embedder.sources import Listed


@dataclass(frozen=True)
class Step:
    """`refs` become a batch, `unchanged` more were listed and need no work; listing goes on after `cursor`.

    A step that stands `alone` waits until no batch is in flight. Of what was seen to as it was listed,
    `indexed` were new, `canceled` were deleted meanwhile, and `failed` could not be used.
    """

    cursor: str
    refs: Sequence[PictureRef] = ()
    unchanged: int = 0
    alone: bool = False
    indexed: int = 0
    canceled: int = 0
    failed: Sequence[tuple[PictureRef, BadPicture]] = ()


def batch_steps(listed: Iterator[Listed], batch_pictures: int) -> Iterator[Step]:
    """A batch from all that is listed, step by step.

    Raises what listing raises, after what was listed until then.
    """
    while True:
        found, fault = _take(listed, batch_pictures)
        if found:
            yield Step(found[-1].cursor, [one.ref for one in found])
        if fault is not None:
            raise fault
        if not found:
            return


def _take(listed: Iterator[Listed], count: int) -> tuple[Sequence[Listed], SightlineError | None]:
    found: list[Listed] = []
    try:
        for one in islice(listed, count):
            found.append(one)
    except SightlineError as error:
        return found, error
    return found, None
