"""Points in two versions of a collection say the same in the end, whoever changes them meanwhile."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from running_index import running_index

from sightline.index import CollectionSpec, Point, VectorIndex
from sightline.payload import INDEXED_FIELDS, Payload, Source
from sightline_embedder.errors import PointsGone
from sightline_embedder.migrating.carrying import settle

LIVE, TWIN = "carried.1", "carried.2"
ONE, TWO, THREE = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(3))
HERE = Source(kind="folder", uri="file:///here.jpg")
THERE = Source(kind="folder", uri="file:///there.jpg")


@pytest.fixture(scope="module")
def embedder_index() -> Iterator[VectorIndex]:
    with running_index() as client:
        yield client


@pytest.fixture
def index(embedder_index: VectorIndex) -> Iterator[VectorIndex]:
    for name, space in ((LIVE, "model@0123456789abcdef"), (TWIN, "other@0123456789abcdef")):
        embedder_index.ensure_collection(CollectionSpec(name, space, 4, INDEXED_FIELDS))
    yield embedder_index
    for name in (LIVE, TWIN):
        embedder_index.drop_collection(name)


@pytest.fixture
def put(index: VectorIndex, make_payload: Callable[..., Payload]) -> Callable[..., None]:
    def put(version: str, point_id: str, **changes: Any) -> None:
        space = "model@0123456789abcdef" if version == LIVE else "other@0123456789abcdef"
        payload = make_payload(**({"space": space, "sources": {"h": HERE}} | changes))
        index.insert(version, [Point(point_id, np.ones(4, np.float32) / 2, payload)])

    return put


def said(index: VectorIndex, version: str) -> dict[str, Any]:
    found = index.retrieve(version, [ONE, TWO, THREE])
    return {
        one: (point.payload.tags, point.payload.metadata, point.payload.sources)
        for one, point in found.items()
    }


def test_what_differs_becomes_as_it_is_live(index: VectorIndex, put: Callable[..., None]) -> None:
    put(LIVE, ONE, tags=("new",), metadata={"a": 1}, sources={"h": HERE, "t": THERE})
    put(TWIN, ONE, tags=("old",), metadata={"b": 2}, sources={"h": HERE})
    put(LIVE, TWO, sources={"h": HERE})
    put(TWIN, TWO, sources={"h": HERE, "t": THERE})
    settle(index, LIVE, TWIN, [ONE, TWO])
    assert said(index, TWIN) == said(index, LIVE)
    assert index.retrieve(TWIN, [ONE])[ONE].payload.space == "other@0123456789abcdef"


def test_what_is_gone_goes_and_what_is_missing_stays_missing(
    index: VectorIndex, put: Callable[..., None]
) -> None:
    put(TWIN, ONE)
    put(LIVE, TWO)
    settle(index, LIVE, TWIN, [ONE, TWO, THREE])
    assert index.retrieve(TWIN, [ONE, TWO, THREE]) == {}
    assert index.retrieve(LIVE, [ONE, TWO, THREE]).keys() == {TWO}


def test_a_change_that_comes_between_looking_and_writing_is_not_undone(
    index: VectorIndex, put: Callable[..., None]
) -> None:
    """Somebody changes both versions right after they were read."""
    put(LIVE, ONE, tags=("first",))
    put(TWIN, ONE, tags=())
    settle(_Meddled(index, ["second"]), LIVE, TWIN, [ONE])  # type: ignore[arg-type]
    assert index.retrieve(LIVE, [ONE])[ONE].payload.tags == ("second",)
    assert index.retrieve(TWIN, [ONE])[ONE].payload.tags == ("second",)


def test_it_does_not_go_on_for_ever(index: VectorIndex, put: Callable[..., None]) -> None:
    put(LIVE, ONE, tags=("first",))
    put(TWIN, ONE)
    meddled: Any = _Meddled(index, [f"{number}" for number in range(1000)])
    with pytest.raises(PointsGone):
        settle(meddled, LIVE, TWIN, [ONE])


class _Meddled:
    """An index where somebody else writes tags to both versions before each write of ours."""

    def __init__(self, index: VectorIndex, tags: list[str]) -> None:
        self._index = index
        self._tags = tags

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def set_payload(self, version: str, point_id: str, values: Any) -> None:
        if self._tags:
            tag = self._tags.pop(0)
            for each in (LIVE, TWIN):
                self._index.set_payload(each, point_id, {"tags": [tag]})
        self._index.set_payload(version, point_id, values)
