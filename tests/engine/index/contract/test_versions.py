"""Versions of a collection, as every index switches between them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from sightline.errors import (
    CollectionNotFound,
)
from sightline.index import CollectionSpec, Point, ScoredPoint, SearchQuery, VectorIndex
from sightline.settings import Precision, Quantization

MakePoint = Callable[..., Point]

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]


@pytest.fixture
def versions(index: VectorIndex, spec: CollectionSpec) -> Iterator[CollectionSpec]:
    """A second version of a collection, with vectors of another space and dimension."""
    index.ensure_collection(spec)
    other = replace(spec, name=f"{spec.name}.two", space="space-b", dimension=4)
    yield other
    with suppress(CollectionNotFound):
        index.drop_collection(other.name)


def _search(index: VectorIndex, name: str, spec: CollectionSpec) -> Sequence[ScoredPoint]:
    return index.search(name, SearchQuery(np.ones(spec.dimension, np.float32), spec.space, 5))


def test_a_collection_stands_for_one_version_at_a_time(
    index: VectorIndex, spec: CollectionSpec, versions: CollectionSpec, make_point: Callable[..., Point]
) -> None:
    first = index.collection(spec.name)
    index.insert(first.version, [make_point(1)])
    made = index.ensure_collection(versions)
    index.insert(made.version, [make_point(2, vector=np.ones(4, np.float32), space="space-b")])

    assert (made.name, made.version, made.space, made.dimension) == (
        versions.name,
        versions.name,
        "space-b",
        4,
    )
    assert index.collection(spec.name) == replace(first, points=1), "nobody has switched yet"
    index.switch(spec.name, versions.name)

    now = index.collection(spec.name)
    assert (now.name, now.version, now.space, now.points) == (spec.name, versions.name, "space-b", 1)
    assert [hit.id for hit in _search(index, now.version, versions)] == [make_point(2).id]
    assert [hit.id for hit in _search(index, first.version, spec)] == [make_point(1).id]
    assert index.retrieve(spec.name, [make_point(1).id, make_point(2).id]).keys() == {make_point(2).id}
    index.switch(spec.name, first.version)
    assert index.collection(spec.name).version == first.version


def test_only_what_collections_stand_for_is_listed(
    index: VectorIndex, spec: CollectionSpec, versions: CollectionSpec
) -> None:
    index.ensure_collection(versions)
    listed = [info.name for info in index.collections()]
    assert (spec.name in listed, versions.name in listed) == (True, False)
    index.switch(spec.name, versions.name)
    (found,) = (info for info in index.collections() if info.name == spec.name)
    assert found.version == versions.name


def test_a_version_keeps_what_it_is_made_with(
    index: VectorIndex, spec: CollectionSpec, versions: CollectionSpec
) -> None:
    asked = replace(versions, quantization=Quantization.INT8, precision=Precision.F32)
    for info in (index.ensure_collection(asked), index.collection(versions.name)):
        assert (info.quantization, info.precision) == (Quantization.INT8, Precision.F32)


def test_dropping_a_version_leaves_the_collection_and_the_other_way_round(
    index: VectorIndex, spec: CollectionSpec, versions: CollectionSpec
) -> None:
    first = index.collection(spec.name).version
    index.ensure_collection(versions)
    index.switch(spec.name, versions.name)
    index.drop_collection(first)
    assert index.collection(spec.name).version == versions.name
    index.drop_collection(spec.name)
    for gone in (spec.name, versions.name, first):
        with pytest.raises(CollectionNotFound):
            index.collection(gone)
    assert index.ensure_collection(spec).points == 0


def test_nothing_is_switched_to_what_is_not_there(
    index: VectorIndex, spec: CollectionSpec, versions: CollectionSpec
) -> None:
    before = index.collection(spec.name)
    with pytest.raises(CollectionNotFound):
        index.switch(spec.name, versions.name)
    index.ensure_collection(versions)
    with pytest.raises(CollectionNotFound):
        index.switch("not-there", versions.name)
    assert index.collection(spec.name) == before


def test_a_collection_is_not_missing_for_a_moment_while_it_is_switched(
    index: VectorIndex, spec: CollectionSpec, versions: CollectionSpec
) -> None:
    first = index.collection(spec.name).version
    index.ensure_collection(versions)
    seen: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        switching = pool.submit(
            lambda: [index.switch(spec.name, one) for _ in range(20) for one in (versions.name, first)]
        )
        while not switching.done():
            seen.append(index.collection(spec.name, counted=False).version)
        switching.result()
    assert set(seen) <= {first, versions.name}
