import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.encoder.calibration import Background, ExtremeValueCurve, RelevanceCurve

CURVE = RelevanceCurve(
    intercept=-4.0, score=17.0, median=60.0, spread=-23.0, typical_median=-0.03, typical_spread=0.07
)
cosines = st.floats(-1, 1, width=32)


@given(
    st.lists(cosines, min_size=2, max_size=20),
    st.lists(cosines, max_size=50),
    st.sampled_from([CURVE, ExtremeValueCurve()]),
)
def test_relevance_lies_between_0_and_1_and_grows_with_the_score(
    scores: list[float], sample: list[float], curve: RelevanceCurve | ExtremeValueCurve
) -> None:
    background = Background.of(np.array(sample, dtype=np.float32), points=len(sample))

    relevance = curve.relevance(np.array(sorted(scores), dtype=np.float32), background)

    assert relevance.shape == (len(scores),)
    assert ((relevance >= 0) & (relevance <= 1)).all()
    assert (np.diff(relevance) >= -1e-6).all()


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
    score = np.array([0.3], dtype=np.float32)
    typical = CURVE.relevance(score, Background(0.0, 0.0, sampled=0, points=0))
    of_two = CURVE.relevance(score, Background(0.3, 0.3, sampled=2, points=2))
    of_many = CURVE.relevance(score, Background(0.3, 0.3, sampled=1000, points=1000))

    assert abs(of_two - typical) < abs(of_many - typical)
    assert typical == pytest.approx(1 / (1 + np.exp(4.0 - 17 * 0.3 + 60 * 0.03 + 23 * 0.07)), rel=1e-3)


def test_without_calibration_the_best_of_chance_does_not_stand_out() -> None:
    chance = np.random.default_rng(6)
    stands_out = 0
    for _ in range(200):
        scores = chance.normal(0.2, 0.03, 1000).astype(np.float32)
        background = Background.of(scores, 1000)
        best = ExtremeValueCurve().relevance(scores.max()[None], background)
        stands_out += bool(best >= 0.5)
    assert stands_out < 20
    found = ExtremeValueCurve().relevance(np.array([0.4], dtype=np.float32), background)
    assert found > 0.9
