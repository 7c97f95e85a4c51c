import pytest

from sightline_local.evaluation import Answer, FoundPicture, evaluate
from sightline_local.judged_queries import JudgedQuery, Wanted


def wanted(*names: str) -> tuple[Wanted, ...]:
    return tuple(Wanted(frozenset({name})) for name in names)


def answer(*found: tuple[str, float], encode_ms: float = 2.0) -> Answer:
    pictures = [FoundPicture(frozenset({name}), relevance) for name, relevance in found]
    return Answer(pictures, encode_ms, index_ms=1.0)


ANSWERS = {
    "a cat": answer(("cat", 0.9), ("dog", 0.2)),
    "a dog": answer(("cat", 0.6), ("dog", 0.4)),
    "a bird": answer(("cat", 0.1), ("dog", 0.1), encode_ms=9.0),
}
QUERIES = [
    JudgedQuery("a cat", wanted("cat")),
    JudgedQuery("a dog", wanted("dog")),
    JudgedQuery("a bird", wanted("bird")),
]


def test_figures_are_means_over_the_queries() -> None:
    found = evaluate(QUERIES, ANSWERS.__getitem__)

    assert found.queries == 3
    assert found.recall_at_1 == pytest.approx(1 / 3)
    assert found.recall_at_10 == found.recall_at_5 == pytest.approx(2 / 3)
    assert found.mrr == pytest.approx((1 + 1 / 2) / 3)
    assert found.relevance_precision == pytest.approx(1 / 2)
    assert found.relevance_kept == 1
    assert (found.encode_ms, found.index_ms) == (2.0, 1.0)
    assert 0 <= found.p50_ms <= found.p95_ms


def test_without_hits_there_is_nothing_to_say_of_relevance() -> None:
    found = evaluate(QUERIES[:1], lambda _: answer())

    assert (found.mrr, found.recall_at_10, found.ndcg_at_10) == (0, 0, 0)
    assert found.relevance_precision is None
    assert found.relevance_kept is None
