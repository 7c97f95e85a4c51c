"""Plans from 10^5 to 10^9 pictures: the table and the plot of docs/scale.md.

Nothing is measured: figures are those of `sightline plan`. Beside them, what searches take where each shard
is on a node of its own, by the simulation (bench/simulated_search.py): a search waits for the slowest.
"""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from bench.simulated_cores import Stage
from bench.simulated_search import SearchCosts, Shards, simulate_paced_searches
from sightline.index.tuning import Tuning
from sightline.settings import Precision, Quantization
from sightline_local.capacity import Demand, Node, make_plan
from sightline_local.capacity_report import shown
from sightline_local.figures import Basis, least_sure
from sightline_local.item_costs import ItemCosts
from sightline_local.measured_costs import costs_of

SIZES = (10**5, 10**6, 10**7, 10**8, 10**9)
LAYOUTS = (Quantization.NONE, Quantization.INT8, Quantization.TURBO4)
MODELS = ("clip-ViT-B-32", "siglip2-base-patch32-256")
COLUMNS = (
    "nodes",
    "ram_in_all",
    "disk_in_all",
    "thumbnails",
    "ingest_core_hours",
    "ingest_hours",
)
_NETWORK_S = 0.0005
"""There and back in one data centre: an assumption."""
_SPREAD = (0.8, 0.9, 0.9, 1.0, 1.0, 1.0, 1.1, 1.1, 1.3, 2.0)
"""How calls of the index differ from their median: an assumption."""
_SECONDS = 60.0


def measure(queries_per_s: float = 10.0) -> dict[str, Any]:
    """The plans, and searches for the first model as the settings would have it."""
    return plans() | {"searches": [_searches(pictures, queries_per_s) for pictures in SIZES]}


def plans() -> dict[str, Any]:
    """A row for each size, model and layout; and hours by precision."""
    rows = [
        row(pictures, costs_of(model, Precision.AUTO), quantization)
        for model in MODELS
        for quantization in LAYOUTS
        for pictures in SIZES
    ]
    hours = [
        {"precision": precision.value, "pictures": pictures, "hours": _hours(pictures, precision)}
        for precision in (Precision.F32, Precision.BF16, Precision.INT8)
        for pictures in SIZES
    ]
    return {"rows": rows, "hours": hours}


def row(pictures: int, costs: ItemCosts, quantization: Quantization) -> dict[str, Any]:
    """The plan for so many pictures, on nodes as `sightline plan` has them."""
    plan = make_plan(Demand(pictures), Node(), costs, Tuning(quantization))
    figures = {name: {"value": one.value, "basis": one.basis.value} for name, one in plan.figures()}
    texts = {name: shown(one) for name, one in plan.figures()}
    return {
        "pictures": pictures,
        "model": costs.model,
        "quantization": quantization.value,
        "figures": figures,
        "shown": texts,
    }


def _hours(pictures: int, precision: Precision) -> float:
    costs = costs_of(MODELS[0], precision)
    return make_plan(Demand(pictures), Node(), costs, Tuning()).ingest_hours.value


def _searches(pictures: int, queries_per_s: float) -> dict[str, Any]:
    """Searches that come by chance to a gateway with four cores and shards with as many as a node has."""
    costs, node = costs_of(MODELS[0], Precision.AUTO), Node()
    plan = make_plan(Demand(pictures), node, costs, Tuning())
    number = int(plan.shards.value)
    index = costs.searching(plan.points_per_shard.value, plan.quantization)
    text = Stage(costs.text.value / 1000, width=2.0)
    texts = {1: text, 16: text.times(8)}
    one = SearchCosts(
        client=Stage(0.0),
        gateway=Stage(costs.gateway.value / 1000),
        texts=texts,
        texts_again=texts,
        asking=Stage(0.0),
        index=Stage(index.value / 1000),
        index_spread=_SPREAD,
    )
    shards = Shards(number, float(node.cores), _NETWORK_S)
    told = simulate_paced_searches(one, cores=4.0, per_second=queries_per_s, seconds=_SECONDS, shards=shards)
    return {
        "pictures": pictures,
        "shards": number,
        "p50_ms": round(told.percentile(50), 1),
        "p95_ms": round(told.percentile(95), 1),
    }


def markdown(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The table of docs/scale.md, line by line."""
    lines = []
    for one in rows:
        basis = least_sure(*(Basis(one["figures"][name]["basis"]) for name in COLUMNS))
        cells = [one["shown"][name] for name in COLUMNS]
        named = [f"{one['pictures']:,}", one["quantization"], *cells, basis.value]
        lines.append(f"| {' | '.join(named)} |")
    return lines


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures for a reader."""
    plans = Table("pictures", "model", "vectors", *COLUMNS, "basis", title="plans, for nodes of 16 cores")
    for one in found["rows"]:
        bases = sorted({one["figures"][name]["basis"] for name in COLUMNS})
        cells = [one["shown"][name] for name in COLUMNS]
        plans.add_row(f"{one['pictures']:,}", one["model"], one["quantization"], *cells, ", ".join(bases))
    searches = Table("pictures", "shards", "p50 ms", "p95 ms", title="searches, simulated")
    for one in found["searches"]:
        searches.add_row(f"{one['pictures']:,}", *(str(one[name]) for name in ("shards", "p50_ms", "p95_ms")))
    return [plans, searches]
