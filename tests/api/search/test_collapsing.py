from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from sightline.index import ScoredPoint, SearchQuery
from sightline.likeness import Alike
from sightline.payload import Payload
from sightline_api.search.collapsing import collapse, collapsed_page

MakePayload = Callable[..., Payload]


@pytest.fixture(scope="module")
def hits(make_payload: MakePayload) -> list[ScoredPoint]:
    """300 hits, best first: every picture three times, ten places apart; each copy looks and is alike."""
    chance = np.random.default_rng(1)
    made: list[ScoredPoint] = []
    vectors, hashes = chance.normal(size=(300, 64)), chance.integers(0, 256, (300, 32), dtype=np.uint8)
    for number in range(300):
        original = number % 100
        vector = vectors[original] + 0.02 * chance.normal(size=64)
        payload = make_payload(perceptual_hash=hashes[original].tobytes().hex(), width=300, height=200)
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        made.append(ScoredPoint(str(number), 1 - number / 1000, payload, unit))
    return made


@pytest.mark.parametrize("kind", ["perceptual", "semantic"])
def test_the_best_of_each_group_is_kept(hits: list[ScoredPoint], kind: Alike) -> None:
    shown = collapse(hits, kind)

    assert [hit.point.id for hit in shown] == [str(number) for number in range(100)]
    assert {hit.hidden for hit in shown} == {2}
    assert collapse([], kind) == []


def test_a_group_holds_together_by_way_of_others(make_payload: MakePayload) -> None:
    angles = np.deg2rad([0, 28, 14, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    hits = [ScoredPoint(str(row), 1 - row / 10, make_payload(), vector) for row, vector in enumerate(vectors)]

    shown = collapse(hits, "semantic")

    assert [(hit.point.id, hit.hidden) for hit in shown] == [("0", 2), ("3", 0)]


def test_pictures_without_a_hash_look_like_none(hits: list[ScoredPoint], make_payload: MakePayload) -> None:
    bare = [ScoredPoint(hit.id, hit.score, make_payload(), hit.vector) for hit in hits[:5]]

    assert len(collapse(bare, "perceptual")) == 5
    assert len(collapse([*bare, *hits[:5]], "perceptual")) == 10


@pytest.mark.parametrize("kind", ["perceptual", "semantic"])
def test_pages_go_on_as_if_duplicates_were_not_there(hits: list[ScoredPoint], kind: Alike) -> None:
    reached: list[int] = []

    def search(query: SearchQuery) -> Sequence[ScoredPoint]:
        reached.append(query.limit)
        return hits[query.offset : query.offset + query.limit]

    def page(offset: int, limit: int) -> list[str]:
        wanted = SearchQuery(np.zeros(64, np.float32), "space", limit, offset)
        return [hit.point.id for hit in collapsed_page(search, wanted, kind, most=1000)]

    walked = [one for offset in range(0, 120, 30) for one in page(offset, 30)]

    assert walked == [str(number) for number in range(100)]
    assert page(0, 5) == ["0", "1", "2", "3", "4"]
    assert reached[-1] == 20


def test_many_duplicates_in_front_do_not_empty_a_page(hits: list[ScoredPoint]) -> None:
    crowd = [replace(hits[0], id=f"copy {number}") for number in range(400)]
    reached: list[int] = []

    def search(query: SearchQuery) -> Sequence[ScoredPoint]:
        reached.append(query.limit)
        return [*crowd, *hits[1:20]][: query.limit]

    wanted = SearchQuery(np.zeros(64, np.float32), "space", 5)
    shown = collapsed_page(search, wanted, "semantic", most=1000)

    assert [hit.point.id for hit in shown] == ["copy 0", "1", "2", "3", "4"]
    assert shown[0].hidden == 399
    assert reached == [20, 1000]
