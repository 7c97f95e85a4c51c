"""A comparison as a table, and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from sightline.settings import Quantization
from sightline_local.bars import Bars
from sightline_local.comparison import Comparison, Configuration, Row
from sightline_local.evaluation import Evaluation

_HEADINGS = {
    "recall_at_1": "R@1",
    "recall_at_5": "R@5",
    "recall_at_10": "R@10",
    "ndcg_at_10": "nDCG@10",
    "mrr": "MRR",
    "relevance_precision": "relevant",
    "relevance_kept": "kept",
    "encode_ms": "encode",
    "p50_ms": "p50",
    "p95_ms": "p95",
}
_LOG_WIDTH = 140
"""Columns where there is no terminal to ask, as in the logs of CI: as many as the table may need."""


def as_json(comparison: Comparison, bars: Bars) -> Any:
    """Everything that was measured."""
    return {
        "pictures": comparison.pictures,
        "left_out": list(comparison.left_out),
        "rows": [_row_json(row, bars) for row in comparison.rows],
    }


def print_comparison(comparison: Comparison, bars: Bars) -> None:
    """A row for each configuration, then what the columns mean, and the bars that were missed."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _LOG_WIDTH)
    table = Table("model", "precision", "quantization", "ef")
    for heading in _HEADINGS.values():
        table.add_column(heading, justify="right")
    for row in comparison.rows:
        missed = bars.missed(row.figures)
        table.add_row(*_named(row.configuration), *_figures(row.figures, missed))
    console.print(table)
    for line in _notes(comparison):
        console.print(line)
    for line in _misses(comparison.rows, bars):
        console.print(line, style="red")


def label_of(configuration: Configuration) -> str:
    """A configuration in a few words."""
    compressed = configuration.quantization is not Quantization.NONE
    vectors = f", {configuration.quantization} vectors" if compressed else ""
    depth = "exact" if configuration.ef is None else f"ef {configuration.ef}"
    return f"{configuration.label} {configuration.precision}{vectors}, {depth}"


def _named(configuration: Configuration) -> tuple[str, str, str, str]:
    ef = "exact" if configuration.ef is None else str(configuration.ef)
    return configuration.label, configuration.precision, configuration.quantization, ef


def _figures(figures: Evaluation, missed: Mapping[str, float]) -> list[str]:
    return [_shown(name, getattr(figures, name)) + ("!" if name in missed else "") for name in _HEADINGS]


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if name.endswith("_ms") else f"{value:.3f}"


def _notes(comparison: Comparison) -> list[str]:
    queries = comparison.rows[0].figures.queries
    notes = [
        f"{queries} captions searched among {comparison.pictures} pictures. Of the hits with a relevance of "
        f"0.5 or more so many are right: relevant. Of the right first hits so many have as much: kept. "
        f"Milliseconds of a text to its vector: encode. Of whole searches, without HTTP: p50, p95."
    ]
    if not all(row.configuration.walks_graph for row in comparison.rows if row.configuration.ef):
        notes.append("So few vectors are neither compressed nor put into a graph: every one was compared.")
    return notes + [f"Left out: {line}" for line in comparison.left_out]


def _misses(rows: Sequence[Row], bars: Bars) -> list[str]:
    return [
        f"{label_of(row.configuration)}: {name} misses its bar of {bar:g}."
        for row in rows
        for name, bar in bars.missed(row.figures).items()
    ]


def _row_json(row: Row, bars: Bars) -> Any:
    one = row.configuration
    return {
        "artifact": str(one.artifact),
        "model": {"name": one.name, "space": one.space, "numerics": one.numerics},
        "precision": one.precision,
        "quantization": one.quantization,
        "ef": one.ef,
        "exact": one.ef is None,
        "walks_graph": one.walks_graph,
        **asdict(row.figures),
        "below": bars.missed(row.figures),
    }
