"""The chart of an index that grows."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.chart_bars import OTHERS, OURS

_COLOURS = {"none": OURS, "turbo4": OTHERS[0], "int8": OTHERS[1]}
_MARKERS = {"none": "o", "turbo4": "s", "int8": "^"}
_PANELS = (
    ("p50_ms", "Search, p50", "milliseconds"),
    ("index_mib", "Memory of the index", "MiB"),
    ("recall_at_10", "recall@10", "share of the ten nearest"),
)


def growth(found: dict[str, Any]) -> Figure:
    """Latency, memory and recall by number of vectors, a line for each layout."""
    figure = Figure((9.5, 3.3), layout="constrained")
    panels = figure.subplots(1, len(_PANELS))
    for axes, (column, title, unit) in zip(panels, _PANELS, strict=True):
        _lines(axes, found["rows"], column)
        axes.set_title(title)
        axes.set_ylabel(unit)
    lowest = min(row["recall_at_10"] for row in found["rows"])
    panels[-1].set_ylim(min(lowest, 0.95) - 0.01, 1.002)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(_COLOURS))
    return figure


def _lines(axes: Axes, rows: list[dict[str, Any]], column: str) -> None:
    sizes = sorted({row["points"] for row in rows})
    for layout in dict.fromkeys(row["layout"] for row in rows):
        ordered = sorted((row for row in rows if row["layout"] == layout), key=lambda row: row["points"])
        axes.plot(
            [row["points"] for row in ordered],
            [row[column] for row in ordered],
            label=layout,
            color=_COLOURS[layout],
            marker=_MARKERS[layout],
            markersize=5,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size / 1000:g}k"))
    axes.set_xlabel("vectors (log)")
    axes.set_ylim(bottom=0)
    axes.grid(color="#e5e5e5", linewidth=0.7)
