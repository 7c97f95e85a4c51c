"""The figures of bench/simulation.py for a reader."""

from typing import Any

from rich.table import Table

_FIGURES = {"p50_ms": "p50 ms", "p95_ms": "p95 ms", "per_second": "per s"}


def tables(found: dict[str, Any]) -> list[Table]:
    """What was foretold beside what was measured."""
    return [_search(found), _ingest(found)]


def _search(found: dict[str, Any]) -> Table:
    shown = Table(title=f"searches foretold and measured, {found['machine']}")
    for column in ("points", "clients"):
        shown.add_column(column, justify="right")
    for title in _FIGURES.values():
        for column in (f"{title} foretold", "measured", "error"):
            shown.add_column(column, justify="right")
    for points, one in found["search"].items():
        for clients in (name for name in one if name != "turns"):
            cells = [cell for figure in _FIGURES for cell in _cells(one[clients][figure])]
            shown.add_row(f"{int(points):,}", clients, *cells)
    return shown


def _ingest(found: dict[str, Any]) -> Table:
    shown = Table(title=f"ingest foretold and measured, {found['numerics']}")
    for column in ("pictures", "per s foretold", "measured", "error"):
        shown.add_column(column, justify="left" if column == "pictures" else "right")
    for corpus, one in found["ingest"].items():
        shown.add_row(corpus, *_cells(one["per_second"]))
    return shown


def _cells(figure: dict[str, float]) -> tuple[str, str, str]:
    return f"{figure['foretold']:.1f}", f"{figure['measured']:.1f}", f"{figure['error']:+.0%}"
