"""The plots of docs/benchmarks.md, drawn from the results of `python -m bench`.

    python -m bench.plots [RESULTS.json] [--plots FOLDER]

SVG on white; the same results give the same bytes. Text stays text.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from bench import capacity_chart, growth_chart, ingest_charts, search_charts
from bench.results import Results

_STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "sightline",
}


@dataclass(frozen=True)
class Plot:
    """A picture of what the benchmark `source` found."""

    name: str
    source: str
    draw: Callable[[Any], Figure]


PLOTS = (
    Plot("ingest", "ingest", ingest_charts.against_stock),
    Plot("ingest-int8", "ingest_int8", ingest_charts.against_stock),
    Plot("stages", "ingest", ingest_charts.against_stages),
    Plot("encoders", "encoders", ingest_charts.encoders),
    Plot("search", "search_latency", search_charts.against_stock),
    Plot("search-during-ingest", "search_during_ingest", search_charts.during_ingest),
    Plot("capacity", "capacity_plan", capacity_chart.capacity),
    Plot("growth", "index_growth", growth_chart.growth),
)


def draw_plots(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what there are results for, by the benchmark's name; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    with matplotlib.rc_context(_STYLE):
        for plot in PLOTS:
            if plot.source in found:
                file = folder / f"{plot.name}.svg"
                plot.draw(found[plot.source]).savefig(file, metadata={"Date": None, "Creator": None})
                drawn.append(file)
    return drawn


def main() -> None:
    """Draw them anew."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    results = Path(".cache/bench/results/results.json")
    parser.add_argument("results", type=Path, nargs="?", default=results)
    parser.add_argument("--plots", type=Path, default=Path("docs/benchmarks"))
    options = parser.parse_args()
    for file in draw_plots(Results.read(options.results).found(), options.plots):
        print(file)


if __name__ == "__main__":
    main()
