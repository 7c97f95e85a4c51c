"""A plan for a reader and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.filesize import decimal

from sightline_local.breaking_points import BreakingPoint
from sightline_local.capacity import Demand, Node, Plan
from sightline_local.commands.output import print_table
from sightline_local.cost_drivers import CostDriver
from sightline_local.figures import Figure
from sightline_local.item_costs import ItemCosts

_NAMES = {
    "shards": "shards",
    "nodes": "nodes of the index",
    "points_per_shard": "points in a shard",
    "ram_per_node": "RAM that the index takes of a node",
    "ram_in_all": "RAM of the index in all",
    "ram_by_rule": "the same uncompressed, by Qdrant's rule of thumb",
    "disk_per_node": "disk that the index takes of a node",
    "disk_in_all": "disk of the index in all",
    "thumbnails": "thumbnails",
    "originals": "originals, if they are uploaded",
    "redis": "Redis, for the jobs",
    "picture": "a picture on its way in",
    "ingest_hours": "time until all are in",
    "embedder_cores": "cores of embedders for that",
    "build_hours": "HNSW, on all cores of the nodes",
    "api_cores": "cores of gateways",
    "index_cores_per_node": "cores of a node, for searches",
    "reads_per_node": "original vectors a node reads",
    "ingest_core_hours": "work to bring all in",
    "search_core_hours": "work of searches",
}


def as_json(
    plan: Plan, points: Sequence[BreakingPoint], drivers: Sequence[CostDriver], costs: ItemCosts
) -> dict[str, Any]:
    """Everything; each figure with its unit, and whether it was measured or extrapolated."""
    return {
        "pictures": plan.pictures,
        "layout": plan.layout,
        "quantization": plan.quantization.value,
        "figures": {name: _figure(one) for name, one in plan.figures()},
        "breaks": [asdict(one) | {"reached": one.pictures <= plan.pictures} for one in points],
        "cost_drivers": [asdict(one) for one in drivers],
        "items": {"model": costs.model, "numerics": costs.numerics, **_items(costs)},
    }


def print_report(
    plan: Plan,
    points: Sequence[BreakingPoint],
    drivers: Sequence[CostDriver],
    costs: ItemCosts,
    demand: Demand,
    node: Node,
) -> None:
    """Three tables: what it takes, what breaks first, and what costs are made of."""
    console = Console()
    console.print(
        f"{plan.pictures:,} pictures, {costs.model} in {costs.numerics}, vectors {plan.quantization.value}: "
        f"{plan.layout}. Nodes of {node.cores} cores, {node.ram_gb:g} GB RAM, {node.disk_gb:g} GB disk; "
        f"{demand.replicas} of each shard; {demand.queries_per_s:g} searches/s.",
        highlight=False,
    )
    print_table(
        ("", "", "basis"),
        [(_NAMES[name], shown(one), one.basis.value) for name, one in plan.figures()],
    )
    reached = [one for one in points if one.pictures <= plan.pictures]
    ahead = [one for one in points if one.pictures > plan.pictures][:2]
    print_table(
        ("from pictures", "what breaks", "what to do", "basis"),
        [
            (f"{one.pictures:,}", f"{one.name}: {one.what}", one.remedy, one.basis.value)
            for one in reached + ahead
        ],
    )
    priced = any(one.price is not None for one in drivers)
    print_table(
        ("cost driver", "quantity", "basis", *(("price",) if priced else ())),
        [tuple(_driver_row(one, priced=priced)) for one in drivers],
    )
    console.print(
        "Extrapolated: computed from measured items, never seen at this size. docs/scale.md has the sources.",
        highlight=False,
    )


def shown(figure: Figure) -> str:
    """A value as people write it."""
    value, unit = figure.value, figure.unit
    if unit == "bytes":
        return decimal(round(value), precision=1)
    if unit == "hours":
        return (
            f"{value / 24:,.1f} days"
            if value >= 48
            else f"{value:,.1f} h"
            if value >= 1
            else f"{value * 60:.0f} min"
        )
    if unit in ("shards", "nodes", "points"):
        return f"{value:,.0f}"
    return f"{value:,.1f} {unit}" if value < 1000 else f"{value:,.0f} {unit}"


def _driver_row(driver: CostDriver, *, priced: bool) -> Iterator[str]:
    yield driver.name
    yield f"{driver.quantity:,.1f} {driver.unit}"
    yield driver.basis.value
    if priced:
        yield "" if driver.price is None else f"{driver.price:,.2f}"


def _figure(figure: Figure) -> dict[str, Any]:
    return {"value": figure.value, "unit": figure.unit, "basis": figure.basis.value}


def _items(costs: ItemCosts) -> Mapping[str, Any]:
    """The costs of one picture and one search, with their sources."""
    found = {name: asdict(value) for name, value in vars(costs).items() if isinstance(value, Figure)}
    for name, by_quantization in (("search", costs.search), ("build", costs.build)):
        found |= {f"{name}_{kind.value}": asdict(one) for kind, one in by_quantization.items()}
    return found | {"bytes": asdict(costs.bytes) | {"basis": costs.bytes_basis.value}}
