"""Groups of bars with their values written on them."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

OURS = "#0072b2"
STOCK = "#999999"
OTHERS = ("#e69f00", "#009e73", "#cc79a7")
"""From the palette of Okabe and Ito, which the colour-blind can tell apart."""

_WIDTH = 0.8


def grouped_bars(
    axes: Axes,
    groups: Sequence[str],
    series: Mapping[str, tuple[str, Sequence[float]]],
    labels: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Bars side by side for each group; a series has a colour and a value for each group.

    `labels` of a series are written on its bars in place of the values.
    """
    width = _WIDTH / len(series)
    for number, (name, (colour, values)) in enumerate(series.items()):
        offset = (number - (len(series) - 1) / 2) * width
        places = [group + offset for group in range(len(groups))]
        bars = axes.bar(places, values, width * 0.95, label=name, color=colour)
        written = (labels or {}).get(name) or [short(value) for value in values]
        axes.bar_label(bars, written, padding=2, fontsize=9)
    axes.set_xticks(range(len(groups)), groups)
    axes.tick_params(axis="x", length=0)
    axes.margins(y=0.12)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.7)


def short(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
