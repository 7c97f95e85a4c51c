"""Changes of points reach the version that a migration builds too, also one that begins meanwhile."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sightline.errors import CollectionNotFound, ImageNotFound, Unavailable
from sightline.index import VectorIndex
from sightline.writing import PointWriter


class Recorder:
    """An index that notes what is asked of it; `faults` are raised by version."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.faults: dict[str, Exception] = {}
        self.after_first: Callable[[], None] = lambda: None

    def __getattr__(self, call: str) -> Callable[..., Any]:
        def answer(version: str, *_: Any) -> Any:
            self.calls.append((call, version))
            if len(self.calls) == 1:
                self.after_first()
            if version in self.faults:
                raise self.faults[version]
            return {f"gone from {version}"}

        return answer


ASK: dict[str, Callable[[PointWriter], Any]] = {
    "add_sources": lambda writer: writer.add_sources("images", {}),
    "remove_sources": lambda writer: writer.remove_sources("images", {}),
    "set_payload": lambda writer: writer.set_payload("images", "id", {}),
    "delete": lambda writer: writer.delete("images", ["id"]),
}


def writer(index: Any, *versions: Sequence[str]) -> PointWriter:
    """A writer that is told these versions, one after the other and the last of them for ever."""
    told = list(versions)
    return PointWriter(index, lambda _: told.pop(0) if len(told) > 1 else told[0])


@pytest.mark.parametrize("call", [call for call in ASK if call != "delete"])
def test_both_versions_are_changed_the_live_one_first(call: str) -> None:
    index = Recorder()
    ASK[call](writer(index, ("images.1", "images.2")))
    assert index.calls == [(call, "images.1"), (call, "images.2")]


def test_a_deletion_that_broke_off_is_still_to_be_seen_in_the_live_version() -> None:
    index = Recorder()
    index.faults = {"images.2": Unavailable("The index", "it is away")}
    with pytest.raises(Unavailable):
        ASK["delete"](writer(index, ("images.1", "images.2")))
    assert index.calls == [("delete", "images.2")]
    index.faults = {"images.2": CollectionNotFound("images.2")}
    ASK["delete"](writer(index, ("images.1", "images.2")))
    assert index.calls[1:] == [("delete", "images.2"), ("delete", "images.1")]


@pytest.mark.parametrize("call", ASK)
def test_a_migration_that_begins_meanwhile_is_not_left_out(call: str) -> None:
    index = Recorder()
    ASK[call](writer(index, ("images",), ("images.1", "images.2")))
    assert (call, "images.2") in index.calls


@pytest.mark.parametrize("call", ASK)
@pytest.mark.parametrize("fault", [CollectionNotFound("images.2"), ImageNotFound("images.2", "id")])
def test_what_the_twin_lacks_is_for_its_migration_to_see_to(call: str, fault: Exception) -> None:
    index = Recorder()
    index.faults["images.2"] = fault
    ASK[call](writer(index, ("images.1", "images.2")))


@pytest.mark.parametrize("call", ASK)
@pytest.mark.parametrize("version", ["images.1", "images.2"])
def test_an_index_that_does_not_answer_is_never_passed_over(call: str, version: str) -> None:
    index = Recorder()
    index.faults[version] = Unavailable("the index", "gone")
    with pytest.raises(Unavailable):
        ASK[call](writer(index, ("images.1", "images.2")))


def test_what_the_live_version_lacks_is_said_of_the_collection() -> None:
    index = Recorder()
    index.faults["images.1"] = ImageNotFound("images.1", "id")
    with pytest.raises(ImageNotFound, match="collection 'images'"):
        ASK["set_payload"](writer(index, ("images.1", "images.2")))


def test_gone_is_what_is_gone_from_the_live_version() -> None:
    index: VectorIndex = Recorder()  # type: ignore[assignment]
    assert ASK["remove_sources"](writer(index, ("images.1", "images.2"))) == {"gone from images.1"}
