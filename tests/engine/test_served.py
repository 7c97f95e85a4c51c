"""What a collection is served from: one version and one model together, seen anew within a second."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sightline.errors import CollectionNotFound, ModelError, SpaceMismatch
from sightline.index import CollectionInfo, CollectionSpec
from sightline.payload import INDEXED_FIELDS
from sightline.served import ServedCollections

FIRST = CollectionInfo("images", "a@0123456789abcdef", 4, INDEXED_FIELDS, 0, version="images.1")
SECOND = replace(FIRST, space="b@0123456789abcdef", dimension=8, version="images.2")


@dataclass
class Collections:
    """An index that knows what it is told."""

    info: CollectionInfo | None = FIRST
    asked: int = 0
    ensured: list[CollectionSpec] = field(default_factory=list)
    switched_to: CollectionInfo | None = None
    """What it becomes after the next look."""

    def collection(self, name: str, *, counted: bool) -> CollectionInfo:
        assert not counted
        self.asked += 1
        if self.info is None:
            raise CollectionNotFound(name)
        seen, self.info, self.switched_to = self.info, self.switched_to or self.info, None
        return seen

    def ensure_collection(self, spec: CollectionSpec) -> None:
        self.ensured.append(spec)
        self.info = self.info or replace(FIRST, space=spec.space, dimension=spec.dimension)
        if self.info.space != spec.space:
            raise SpaceMismatch(spec.name, self.info.space, spec.space)


class Models:
    """A registry whose models are their names."""

    def get(self, space: str, precision: Any = None) -> str:
        if space.startswith("unknown"):
            raise ModelError("No such model.")
        return f"model of {space} in {precision}"


def served(index: Collections, kept_s: float = 60.0) -> ServedCollections[str]:
    return ServedCollections(index, Models(), kept_s)  # type: ignore[arg-type]


def test_version_and_model_belong_together_and_are_asked_for_once() -> None:
    index = Collections()
    collections = served(index)
    found = [collections.of("images") for _ in range(3)]
    assert index.asked == 1
    assert {(one.version, one.space, one.model) for one in found} == {
        ("images.1", FIRST.space, f"model of {FIRST.space} in None")
    }


def test_one_is_told_from_another_that_had_its_name() -> None:
    index = Collections(replace(FIRST, uid="a"))
    collections = served(index, kept_s=0.0)
    before = collections.of("images")
    index.info = replace(FIRST, uid="b")
    assert (before.uid, collections.of("images").uid) == ("a", "b")


@pytest.mark.parametrize("how", ["time", "anew", "forget"])
def test_a_switch_is_seen(how: str) -> None:
    index = Collections()
    collections = served(index, kept_s=0.0 if how == "time" else 60.0)
    collections.of("images")
    index.info = SECOND
    if how == "forget":
        collections.forget("images")
    found = collections.of("images", anew=how == "anew")
    assert (found.version, found.model) == ("images.2", f"model of {SECOND.space} in None")


def test_a_collection_that_is_gone_is_not_remembered() -> None:
    index = Collections()
    collections = served(index, kept_s=0.0)
    collections.of("images")
    index.info = None
    for _ in range(2):
        with pytest.raises(CollectionNotFound):
            collections.of("images")


def test_a_collection_whose_model_is_not_here_says_so() -> None:
    with pytest.raises(ModelError):
        served(Collections(replace(FIRST, space="unknown@0123456789abcdef"))).of("images")


def test_a_collection_that_is_there_keeps_its_model() -> None:
    index = Collections(SECOND)
    asked = CollectionSpec("images", FIRST.space, FIRST.dimension, {"tags": INDEXED_FIELDS["tags"]})
    assert served(index).ensure(asked).space == SECOND.space
    assert [(one.space, one.dimension, one.fields) for one in index.ensured] == [
        (SECOND.space, SECOND.dimension, asked.fields)
    ]


def test_one_that_is_not_there_is_made_as_asked() -> None:
    index = Collections(None)
    assert served(index).ensure(CollectionSpec("images", SECOND.space, 8, {})).space == SECOND.space


def test_one_that_is_switched_while_it_is_looked_at_keeps_its_new_model() -> None:
    index = Collections(switched_to=SECOND)
    assert (
        served(index).ensure(CollectionSpec("images", FIRST.space, FIRST.dimension, {})).version == "images.2"
    )
    assert [one.space for one in index.ensured] == [FIRST.space, SECOND.space]
