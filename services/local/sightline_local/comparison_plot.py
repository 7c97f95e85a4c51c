"""A comparison as a plot: how much is found, and how long it takes, for each configuration."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline_local.comparison import Row
from sightline_local.comparison_report import label_of
from sightline_local.errors import EvaluationError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".svg", ".png")
_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "font.size": 10,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "sightline",
}
_BLUE, _ORANGE, _GREEN, _GREY = "#0072b2", "#e69f00", "#009e73", "#999999"
"""From the palette of Okabe and Ito, which the colour-blind can tell apart."""
_WIDTH_IN = 10.0
_MARGINS_IN = 1.4
_ROW_IN = 0.5
_BAR = 0.38


def check_plot(file: Path) -> None:
    """Raise EvaluationError with a sentence if nothing can be drawn into this file."""
    if file.suffix.lower() not in SUFFIXES:
        raise EvaluationError(f"A plot is a file that ends in {' or '.join(SUFFIXES)}, not {file.name}.")
    if not file.parent.is_dir():
        raise EvaluationError(f"There is no folder {file.parent} to put the plot in.")
    if find_spec("matplotlib") is None:
        raise EvaluationError(
            "Plots need matplotlib: `pip install 'sightline-local[plots]'`, or leave --plot out."
        )


def draw_comparison(rows: Sequence[Row], file: Path) -> None:
    """Draw into an SVG or PNG file, which is replaced."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_IN, _MARGINS_IN + _ROW_IN * len(rows)), layout="constrained")
        found, took = figure.subplots(1, 2, sharey=True)
        _quality(found, rows)
        _time(took, rows)
        found.set_yticks(range(len(rows)), [label_of(row.configuration) for row in rows])
        found.invert_yaxis()
        figure.legend(loc="outside lower center", ncols=4)
        figure.savefig(file, metadata={"Date": None} if file.suffix.lower() == ".svg" else None)


def _quality(axes: "Axes", rows: Sequence[Row]) -> None:
    above, below = ([place + shift for place in range(len(rows))] for shift in (-_BAR / 2, _BAR / 2))
    recall = axes.barh(
        above, [row.figures.recall_at_10 for row in rows], _BAR, color=_BLUE, label="recall@10"
    )
    ndcg = axes.barh(below, [row.figures.ndcg_at_10 for row in rows], _BAR, color=_ORANGE, label="nDCG@10")
    for bars in (recall, ndcg):
        axes.bar_label(bars, fmt="%.3f", padding=2, fontsize=8)
    axes.set_xlim(0, 1.1)
    axes.set_title("found")
    _finish(axes)


def _time(axes: "Axes", rows: Sequence[Row]) -> None:
    places = range(len(rows))
    encode = [row.figures.encode_ms for row in rows]
    axes.barh(places, encode, 2 * _BAR, color=_GREY, label="text to vector")
    index = axes.barh(
        places, [row.figures.index_ms for row in rows], 2 * _BAR, encode, color=_GREEN, label="index"
    )
    axes.bar_label(index, [f"{row.figures.p50_ms:.1f}" for row in rows], padding=2, fontsize=8)
    axes.margins(x=0.12)
    axes.set_title("milliseconds of a search, p50")
    _finish(axes)


def _finish(axes: "Axes") -> None:
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.7)
    axes.tick_params(axis="y", length=0)
