"""Bars: how good figures must be at the least, and times at the most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from typing import Self

from sightline_local.errors import EvaluationError
from sightline_local.evaluation import Evaluation


@dataclass(frozen=True)
class Bars:
    """The bar of each figure that has one, by its name."""

    by_figure: Mapping[str, float]

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Self:
        """Read FIGURE=NUMBER, as `recall@10=0.8` or `p95_ms=30`; raises EvaluationError."""
        return cls(dict(_bar(text) for text in texts))

    def missed(self, figures: Evaluation) -> dict[str, float]:
        """The bars that figures miss; one that could not be measured misses any."""
        return {
            name: bar for name, bar in self.by_figure.items() if _misses(name, getattr(figures, name), bar)
        }


def _bar(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    figure = name.strip().replace("@", "_at_")
    known = [field.name for field in fields(Evaluation)]
    if figure not in known:
        raise EvaluationError(f"There is no figure '{name.strip()}' to set a bar for: {', '.join(known)}.")
    try:
        bar = float(number)
    except ValueError:
        bar = float("nan")
    if not isfinite(bar):
        raise EvaluationError(f"A bar is FIGURE=NUMBER, as recall@10=0.8, not '{text}'.")
    return figure, bar


def _misses(name: str, value: float | None, bar: float) -> bool:
    if value is None:
        return True
    return value > bar if name.endswith("_ms") else value < bar
