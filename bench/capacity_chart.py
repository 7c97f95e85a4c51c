"""The chart of plans from 10^5 to 10^9 pictures."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.chart_bars import OTHERS, OURS
from sightline_local.item_costs import MEASURED_POINTS

_LAYOUTS = {"none": OURS, "turbo4": OTHERS[0], "int8": OTHERS[1]}
_PRECISIONS = {"f32": OURS, "bf16": OTHERS[0], "int8": OTHERS[1]}
_PANELS = (("ram_in_all", "RAM of the index", "GB", 1e9), ("disk_in_all", "Disk of the index", "GB", 1e9),
           ("nodes", "Nodes of 64 GB RAM and 1 TB disk", "nodes", 1))  # fmt: skip


def capacity(found: dict[str, Any]) -> Figure:
    """RAM, disk and nodes by layout, and hours by precision, over the number of pictures; logarithmic."""
    figure = Figure((9.5, 6.4), layout="constrained")
    (ram, disk), (nodes, hours) = figure.subplots(2, 2)
    rows = [row for row in found["rows"] if row["model"] == found["rows"][0]["model"]]
    for axes, (name, title, unit, scale) in zip((ram, disk, nodes), _PANELS, strict=True):
        for layout, colour in _LAYOUTS.items():
            line = [row for row in rows if row["quantization"] == layout]
            values = [row["figures"][name]["value"] / scale for row in line]
            _line(axes, [row["pictures"] for row in line], values, layout, colour)
        _finish(axes, title, unit)
    for precision, colour in _PRECISIONS.items():
        line = [row for row in found["hours"] if row["precision"] == precision]
        _line(hours, [row["pictures"] for row in line], [row["hours"] for row in line], precision, colour)
    _finish(hours, "Ingest on 16 cores", "hours")
    return figure


def _line(axes: Axes, pictures: Sequence[int], values: Sequence[float], label: str, colour: str) -> None:
    axes.plot(pictures, values, label=label, color=colour, marker="o", markersize=4)


def _finish(axes: Axes, title: str, unit: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.set_xlabel("pictures")
    axes.axvspan(axes.get_xlim()[0], MEASURED_POINTS, color="#f2f2f2", zorder=0)
    axes.xaxis.set_major_locator(FixedLocator([10.0**power for power in range(5, 10)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.grid(color="#e5e5e5", linewidth=0.7)
    axes.legend()
