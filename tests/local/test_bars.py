from dataclasses import replace

import pytest

from sightline_local.bars import Bars
from sightline_local.errors import EvaluationError
from sightline_local.evaluation import Evaluation

FIGURES = Evaluation(
    queries=10,
    recall_at_1=0.5,
    recall_at_5=0.6,
    recall_at_10=0.7,
    ndcg_at_10=0.6,
    mrr=0.55,
    relevance_precision=0.8,
    relevance_kept=0.9,
    encode_ms=5.0,
    index_ms=2.0,
    p50_ms=7.0,
    p95_ms=12.0,
)


def test_figures_must_reach_their_bars_and_times_stay_below_theirs() -> None:
    assert Bars.parse(["recall@10=0.7", "mrr = 0.55", "p95_ms=12"]).missed(FIGURES) == {}
    missed = Bars.parse(["recall@10=0.71", "ndcg_at_10=0.6", "p95_ms=11.9"]).missed(FIGURES)
    assert missed == {"recall_at_10": 0.71, "p95_ms": 11.9}


def test_what_could_not_be_measured_misses_its_bar() -> None:
    nothing = replace(FIGURES, relevance_precision=None)
    assert Bars.parse(["relevance_precision=0"]).missed(nothing) == {"relevance_precision": 0.0}


@pytest.mark.parametrize("text", ["mrr", "mrr=", "mrr=much", "mrr=nan", "mrr=inf"])
def test_a_bar_is_a_number(text: str) -> None:
    with pytest.raises(EvaluationError, match="FIGURE=NUMBER"):
        Bars.parse([text])


def test_there_is_no_bar_for_another_figure() -> None:
    with pytest.raises(EvaluationError, match=r"no figure 'beauty'.*recall_at_1"):
        Bars.parse(["beauty=1"])
