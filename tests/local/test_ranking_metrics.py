import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.ranking_metrics import ndcg, recall, reciprocal_rank

grades = st.lists(st.sampled_from([0.0, 0.0, 1.0, 2.0]), min_size=1, max_size=10)


def test_recall_counts_what_was_to_be_had() -> None:
    assert recall([1, 0, 1, 1], [1, 1, 1, 1], 3) == pytest.approx(2 / 3)
    assert recall([1, 0, 0], [1], 3) == 1
    assert recall([], [1], 3) == 0


def test_recall_is_no_better_for_hits_that_are_not_there() -> None:
    # A filter left one hit: three more of what was wanted have no place among the others.
    assert recall([1], [1, 1, 1, 1], 10) == 1 / 4


def test_the_reciprocal_rank_is_of_the_first_wanted_hit() -> None:
    assert [reciprocal_rank(one) for one in ([1, 1], [0, 0, 2], [0], [])] == [1, pytest.approx(1 / 3), 0, 0]


def test_ndcg_of_a_worked_example() -> None:
    # Gains 3, 0, 1 over log2 of 2, 3, 4, against 3, 1 in the best order.
    assert ndcg([2, 0, 1], [2, 1]) == pytest.approx((3 + 1 / 2) / (3 + 1 / 1.584962500721156))


@given(grades)
def test_the_best_order_has_an_ndcg_of_1_and_no_other_has_more(found: list[float]) -> None:
    ideal = sorted((grade for grade in found if grade), reverse=True)
    if ideal:
        assert ndcg(sorted(found, reverse=True), ideal) == pytest.approx(1)
        assert 0 <= ndcg(found, ideal) <= 1 + 1e-9
