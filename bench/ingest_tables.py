"""The figures of bench/ingest.py for a reader."""

from typing import Any

from rich.table import Table


def tables(found: dict[str, Any]) -> list[Table]:
    """Pictures per second, and what a picture costs."""
    title = f"ingest on {found['machine']}, {found['numerics']}"
    return [_rates(found["corpora"], title), _costs(found["corpora"])]


def _rates(figures: dict[str, dict[str, Any]], title: str) -> Table:
    """The figures for a reader."""
    shown = Table(title=title)
    for column in (
        "pictures/s", "stock loop", "Sightline", "x stock", "decode", "encode", "thumbs", "roofline",
        "of roofline", "load",
    ):  # fmt: skip
        shown.add_column(column, justify="left" if column == "pictures/s" else "right")
    for name, one in figures.items():
        shown.add_row(
            name,
            *(f"{one[key]:.1f}" for key in ("stock", "sightline")),
            f"{one['over_stock']:.1f}",
            *(f"{one[key]:.0f}" for key in ("decode", "encode", "thumbnail")),
            f"{one['roofline']:.1f}",
            f"{one['of_roofline']:.0%}",
            f"{one['load_before']:.1f}",
        )
    return shown


def _costs(figures: dict[str, dict[str, Any]]) -> Table:
    """What a picture costs, for a reader."""
    shown = Table(title="processor time per picture")
    for column in ("ms/picture", "stock loop", "Sightline", "x stock", "stages", "in stages", "where"):
        shown.add_column(column, justify="left" if column in ("ms/picture", "where") else "right")
    for name, one in figures.items():
        shown.add_row(
            name,
            f"{one['stock_cpu_ms']:.0f}",
            f"{one['cpu_ms']:.1f}",
            f"{one['cpu_of_stock']:.1f}",
            f"{one['stages_cpu_ms']:.1f}",
            f"{one['cpu_of_stages']:.0%}",
            ", ".join(f"{process} {ms:.1f}" for process, ms in one["cpu_ms_by_process"].items()),
        )
    return shown
