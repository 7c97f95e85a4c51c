"""Charts of search over HTTP."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.chart_bars import OTHERS, OURS, STOCK, grouped_bars, short

_PERCENTILES = ("p50", "p95", "p99")


def against_stock(found: dict[str, Any]) -> Figure:
    """Latency and throughput of the stock service and of Sightline, by the number of clients."""
    one = found["medians"]
    clients = list(one["sightline"])
    figure = Figure((8, 3.4), layout="constrained")
    latency, throughput = figure.subplots(1, 2)
    for name, colour in (("stock", STOCK), ("sightline", OURS)):
        _line(latency, clients, [one[name][count]["p50_ms"] for count in clients], colour)
    latency.set_yscale("log")
    latency.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    latency.set_ylabel("milliseconds (log)")
    latency.set_title("Median latency of a text search")
    series = {
        label: (colour, [one[name][count]["per_second"] for count in clients])
        for label, name, colour in (("stock service", "stock", STOCK), ("Sightline", "sightline", OURS))
    }
    grouped_bars(throughput, clients, series)
    throughput.set_ylabel("answers per second")
    throughput.set_title("Throughput")
    for axes in (latency, throughput):
        axes.set_xlabel("clients")
    figure.legend(*throughput.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _line(axes: Axes, places: Sequence[str], values: Sequence[float], colour: str) -> None:
    axes.plot(places, values, color=colour, marker="o", markersize=6)
    for at, value in enumerate(values):
        axes.annotate(short(value), (at, value), (0, 7), textcoords="offset points", ha="center", fontsize=9)
    axes.margins(x=0.15, y=0.15)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.7)


def during_ingest(found: dict[str, Any]) -> Figure:
    """Percentiles of search latency with nothing else going on, and during ingest."""
    one = found["medians"]
    figure = Figure((6, 3.2), layout="constrained")
    axes = figure.subplots()
    series = {
        label: (colour, [one[f"{name}_{percentile}_ms"] for percentile in _PERCENTILES])
        for label, name, colour in (("idle", "idle", OURS), ("during ingest", "during", OTHERS[0]))
    }
    grouped_bars(axes, _PERCENTILES, series)
    axes.set_ylabel("milliseconds")
    axes.set_title(f"Text search, 5 a second, {found['points']:,} vectors")
    axes.legend(loc="upper left")
    return figure
