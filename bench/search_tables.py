"""The figures of bench/search_latency.py for a reader."""

from typing import Any

from rich.table import Table

from bench.search_services import CLIENTS


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures for a reader."""
    one = found["medians"]
    services = Table(title=f"text search over HTTP, {found['points']:,} points, {found['machine']}")
    columns = (
        "clients",
        "stock p50 ms",
        "p95",
        "per s",
        "Sightline p50 ms",
        "p95",
        "per s",
        "x p50",
        "x per s",
    )
    for column in columns:
        services.add_column(column, justify="right")
    for clients in map(str, CLIENTS):
        cells = [
            f"{one[name][clients][figure]:.1f}"
            for name in ("stock", "sightline")
            for figure in ("p50_ms", "p95_ms", "per_second")
        ]
        services.add_row(
            clients, *cells, f"{one['faster'][clients]:.1f}", f"{one['throughput'][clients]:.1f}"
        )
    parts = Table("one client", "ms")
    for name, value in one["parts"].items():
        parts.add_row(f"{name.removesuffix('_ms')} alone", f"{value:.2f}")
    parts.add_row("p50 over HTTP", f"{one['sightline']['1']['p50_ms']:.2f}")
    parts.add_row("p50 / both alone", f"{one['over_parts']:.2f} x")
    parts.add_row("load average before", f"{one['load_before']:.1f}")
    return [services, parts]
