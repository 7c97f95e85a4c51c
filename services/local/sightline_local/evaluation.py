"""How well searches find what they should: recall, nDCG, reciprocal rank, relevance, latency."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles
from time import perf_counter
from typing import Any

from sightline_local.judged_queries import JudgedQuery
from sightline_local.ranking_metrics import ndcg, recall, reciprocal_rank

DEPTH = 10
STANDS_OUT = 0.5

Search = Callable[[str], Any]
"""A text to the API's answer, with at least DEPTH hits if there are as many pictures."""


@dataclass(frozen=True)
class Evaluation:
    """Means over the queries. Latencies are of whole calls, in milliseconds.

    `relevance_precision` is the share of wanted pictures among the first ten hits with a relevance of 0.5 or
    more, `relevance_kept` the share of wanted first hits that have as much; None where there are none.
    """

    queries: int
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    ndcg_at_10: float
    mrr: float
    relevance_precision: float | None
    relevance_kept: float | None
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class _Found:
    """One query's first hits: their grades and relevance, the grades that were to be had, the time."""

    grades: Sequence[float]
    relevance: Sequence[float]
    ideal: Sequence[float]
    took_ms: float


def evaluate(queries: Sequence[JudgedQuery], search: Search) -> Evaluation:
    """Run every query once, one after another."""
    found = [_run(query, search) for query in queries]
    standing_out = [
        grade > 0
        for one in found
        for grade, relevance in zip(one.grades, one.relevance, strict=True)
        if relevance >= STANDS_OUT
    ]
    right_first = [one.relevance[0] >= STANDS_OUT for one in found if one.grades and one.grades[0] > 0]
    times = [one.took_ms for one in found]
    return Evaluation(
        queries=len(queries),
        recall_at_1=fmean(recall(one.grades[:1], one.ideal) for one in found),
        recall_at_5=fmean(recall(one.grades[:5], one.ideal) for one in found),
        recall_at_10=fmean(recall(one.grades, one.ideal) for one in found),
        ndcg_at_10=fmean(ndcg(one.grades, one.ideal[:DEPTH]) for one in found),
        mrr=fmean(reciprocal_rank(one.grades) for one in found),
        relevance_precision=fmean(standing_out) if standing_out else None,
        relevance_kept=fmean(right_first) if right_first else None,
        p50_ms=median(times),
        p95_ms=quantiles(times, n=20)[-1] if len(times) > 1 else times[0],
    )


def _run(query: JudgedQuery, search: Search) -> _Found:
    started = perf_counter()
    hits = search(query.text)["hits"][:DEPTH]
    took_ms = (perf_counter() - started) * 1000
    return _Found(
        grades=[query.grade_of(hit["image"]) for hit in hits],
        relevance=[hit["relevance"] for hit in hits],
        ideal=sorted((one.grade for one in query.wanted), reverse=True),
        took_ms=took_ms,
    )
