import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.encoder.calibration import (
    Background,
    ExtremeValueCurve,
    PictureCurve,
    TextCurve,
    share_of_words,
)

TEXT = TextCurve(intercept=-10.8, log_share=-2.2, median=11.7, typical_median=-0.02)
PICTURE = PictureCurve(
    intercept=-6.0, score=7.4, median=-3.7, spread=11.3, typical_median=0.05, typical_spread=0.1
)
cosines = st.floats(-1, 1, width=32)


def array(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float32)


@given(
    st.lists(cosines, min_size=2, max_size=20),
    st.lists(cosines, max_size=50),
    st.sampled_from([PICTURE, ExtremeValueCurve()]),
)
def test_relevance_lies_between_0_and_1_and_grows_with_the_score(
    scores: list[float], sample: list[float], curve: PictureCurve | ExtremeValueCurve
) -> None:
    background = Background.of(array(sample), points=len(sample))

    relevance = curve.relevance(array(sorted(scores)), background)

    assert relevance.shape == (len(scores),)
    assert relevance.dtype == np.float32
    assert ((relevance >= 0) & (relevance <= 1)).all()
    assert (np.diff(relevance) >= -1e-6).all()


@given(st.lists(st.floats(1e-4, 1), min_size=2, max_size=20), st.lists(cosines, max_size=50))
def test_relevance_falls_with_the_share_of_words_that_fit_as_well(
    shares: list[float], sample: list[float]
) -> None:
    relevance = TEXT.relevance(array(sorted(shares)), Background.of(array(sample), points=len(sample)))

    assert ((relevance >= 0) & (relevance <= 1)).all()
    assert (np.diff(relevance) <= 1e-6).all()


def test_words_that_fit_as_well_are_counted() -> None:
    words = array([0.1, 0.2, 0.3, 0.4])

    shares = share_of_words(np.stack([words, words, words]), array([0.5, 0.3, 0.0]))

    assert shares == pytest.approx([1 / 5, 3 / 5, 1])
    assert share_of_words(np.empty((1, 0), dtype=np.float32), array([0.5])) == pytest.approx([1])


def test_a_background_does_not_move_for_what_was_asked_for() -> None:
    chance = np.random.default_rng(5)
    unrelated = chance.normal(0.1, 0.05, 1000).astype(np.float32)
    asked_for = chance.normal(0.6, 0.02, 50).astype(np.float32)

    alone = Background.of(unrelated, 1000)
    mixed = Background.of(np.concatenate([unrelated, asked_for]), 1050)

    assert alone.median == pytest.approx(0.1, abs=0.01)
    assert alone.spread == pytest.approx(0.05, abs=0.01)
    assert mixed.median == pytest.approx(alone.median, abs=0.01)
    assert mixed.spread == pytest.approx(alone.spread, abs=0.01)


def test_few_pictures_count_less_than_what_is_typical() -> None:
    score = array([0.3])
    typical = PICTURE.relevance(score, Background(0.0, 0.0, sampled=0, points=0))
    of_two = PICTURE.relevance(score, Background(0.3, 0.3, sampled=2, points=2))
    of_many = PICTURE.relevance(score, Background(0.3, 0.3, sampled=1000, points=1000))

    assert abs(of_two - typical) < abs(of_many - typical)
    assert typical == pytest.approx(1 / (1 + np.exp(6.0 - 7.4 * 0.3 + 3.7 * 0.05 - 11.3 * 0.1)), rel=1e-3)


def test_without_calibration_the_best_of_chance_does_not_stand_out() -> None:
    chance = np.random.default_rng(6)
    stands_out = 0
    for _ in range(200):
        scores = chance.normal(0.2, 0.03, 1000).astype(np.float32)
        background = Background.of(scores, 1000)
        best = ExtremeValueCurve().relevance(scores.max()[None], background)
        stands_out += bool(best >= 0.5)
    assert stands_out < 20
    assert ExtremeValueCurve().relevance(array([0.4]), background) > 0.9
