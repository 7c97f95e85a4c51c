"""How well searches find what they should: recall, nDCG, reciprocal rank, relevance, latency."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles
from time import perf_counter
from typing import TypeAlias

from sightline.ranking_metrics import ndcg, recall, reciprocal_rank
from sightline_local.judged_queries import JudgedQuery

DEPTH = 10
STANDS_OUT = 0.5


@dataclass(frozen=True)
class FoundPicture:
    """A hit: the names that the picture goes by (its id, its sources), and its relevance."""

    names: frozenset[str]
    relevance: float


@dataclass(frozen=True)
class Answer:
    """What a search found, best first, and what of its time making the vector and the index took."""

    pictures: Sequence[FoundPicture]
    encode_ms: float
    index_ms: float


Search: TypeAlias = Callable[[str], Answer]
"""A text to its answer, with at least DEPTH pictures if there are as many."""


@dataclass(frozen=True)
class Evaluation:
    """Means over the queries, and times in milliseconds: of whole searches p50 and p95, and of their parts,
    from the text to its vector and from there to hits with a relevance, the medians.

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
    encode_ms: float
    index_ms: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class _Found:
    """One query's answer, the grades of its first hits, those that were to be had, and the time."""

    answer: Answer
    grades: Sequence[float]
    ideal: Sequence[float]
    took_ms: float

    @property
    def relevance(self) -> Sequence[float]:
        return [picture.relevance for picture in self.answer.pictures[:DEPTH]]


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
        recall_at_1=fmean(recall(one.grades, one.ideal, 1) for one in found),
        recall_at_5=fmean(recall(one.grades, one.ideal, 5) for one in found),
        recall_at_10=fmean(recall(one.grades, one.ideal, 10) for one in found),
        ndcg_at_10=fmean(ndcg(one.grades, one.ideal[:DEPTH]) for one in found),
        mrr=fmean(reciprocal_rank(one.grades) for one in found),
        relevance_precision=fmean(standing_out) if standing_out else None,
        relevance_kept=fmean(right_first) if right_first else None,
        encode_ms=median(one.answer.encode_ms for one in found),
        index_ms=median(one.answer.index_ms for one in found),
        p50_ms=median(times),
        p95_ms=quantiles(times, n=20)[-1] if len(times) > 1 else times[0],
    )


def _run(query: JudgedQuery, search: Search) -> _Found:
    started = perf_counter()
    answer = search(query.text)
    took_ms = (perf_counter() - started) * 1000
    return _Found(
        answer=answer,
        grades=[query.grade_of(picture.names) for picture in answer.pictures[:DEPTH]],
        ideal=sorted((one.grade for one in query.wanted), reverse=True),
        took_ms=took_ms,
    )
