"""What a collection of any size takes: shards, nodes, memory, disk, cores and hours. Arithmetic alone.

Memory, disk and the costs of items are those of index_bytes and item_costs; documented rules of Qdrant are
cited where they are used.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

from sightline.index.tuning import OVERSAMPLING, Tuning, VectorLayout
from sightline.settings import Quantization
from sightline_local.errors import PlanError
from sightline_local.figures import Basis, Figure, least_sure
from sightline_local.index_bytes import graph_layout, index_memory, payload_disk, vectors_disk
from sightline_local.item_costs import MEASURED_POINTS, ItemCosts

USABLE_RAM = 0.8
"""Of a node's memory: more that is resident is a sign of trouble (Qdrant, agent skill "memory usage")."""
SPARE_DISK = 1.5
"""Qdrant, "Capacity Planning": half as much again, for what is written while segments are made anew."""
BUSY = 0.7
"""Cores are planned to be busy for so much of the time: beyond it, waits grow faster than the rate."""
SERVED_BY_ONE = 1_000_000
"""Up to here the embedded index is planned for: its builds were measured to half of that."""
HITS = 20
GB = 10**9
_MS_PER_H = 3.6e6
_H_PER_MONTH = 730


@dataclass(frozen=True)
class Node:
    """A machine that holds a part of the index."""

    cores: int = 16
    ram_gb: float = 64.0
    disk_gb: float = 1_000.0


@dataclass(frozen=True)
class Demand:
    """What is asked of a collection. Without `pictures_per_hour` one machine as large as a node takes
    pictures in."""

    pictures: int
    queries_per_s: float = 10.0
    pictures_per_hour: float | None = None
    replicas: int = 1
    megapixels: float = 12.2
    megabytes: float = 3.8


@dataclass(frozen=True)
class Plan:
    """What it takes. Shards are copied `replicas` times, one copy on a node."""

    pictures: int
    quantization: Quantization
    layout: str
    shards: Figure
    nodes: Figure
    points_per_shard: Figure
    ram_per_node: Figure
    ram_in_all: Figure
    ram_by_rule: Figure
    disk_per_node: Figure
    disk_in_all: Figure
    thumbnails: Figure
    originals: Figure
    redis: Figure
    picture: Figure
    ingest_hours: Figure
    embedder_cores: Figure
    build_hours: Figure
    api_cores: Figure
    index_cores_per_node: Figure
    reads_per_node: Figure
    ingest_core_hours: Figure
    search_core_hours: Figure

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """All of them by name, in order."""
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Figure):
                yield one.name, value


@dataclass(frozen=True)
class _Spread:
    """How a collection is cut up."""

    shards: int
    points: int
    memory: int
    disk: int


def make_plan(demand: Demand, node: Node, costs: ItemCosts, tuning: Tuning) -> Plan:
    """The plan; raises PlanError with a sentence where node or demand are impossible."""
    _check(demand, node)
    layout = graph_layout(demand.pictures, tuning)
    quantization = layout.quantization if layout else Quantization.NONE
    spread = _spread(demand, node, costs, layout)
    nodes = spread.shards * demand.replicas
    size = Basis.MEASURED if demand.pictures <= MEASURED_POINTS and nodes == 1 else Basis.EXTRAPOLATED
    size = least_sure(size, costs.bytes_basis)
    picture = costs.picture(demand.megapixels, demand.megabytes)
    hours, cores = _ingest(demand, node, picture.value)
    built = costs.building(spread.points, quantization)
    search = costs.searching(spread.points, quantization)
    asked = demand.queries_per_s * search.value / 1000
    gateway = least_sure(costs.text.basis, costs.gateway.basis)
    api_ms = costs.text.value + costs.gateway.value

    def sized(value: float, unit: str, basis: Basis = size) -> Figure:
        return Figure(value, unit, basis)

    return Plan(
        pictures=demand.pictures,
        quantization=quantization,
        layout=_kind(demand, spread.shards),
        shards=sized(spread.shards, "shards"),
        nodes=sized(nodes, "nodes"),
        points_per_shard=sized(spread.points, "points"),
        ram_per_node=sized(spread.memory, "bytes"),
        ram_in_all=sized(spread.memory * nodes, "bytes"),
        ram_by_rule=sized(
            demand.pictures * costs.bytes.vector * 1.5 * demand.replicas, "bytes", Basis.DOCUMENTED
        ),
        disk_per_node=sized(spread.disk, "bytes"),
        disk_in_all=sized(spread.disk * nodes, "bytes"),
        thumbnails=sized(demand.pictures * costs.bytes.thumbnail_disk, "bytes"),
        originals=sized(demand.pictures * demand.megabytes * 1e6, "bytes", Basis.GIVEN),
        redis=sized(demand.pictures * costs.redis_job.value, "bytes"),
        picture=picture,
        ingest_hours=sized(hours, "hours", least_sure(size, picture.basis)),
        embedder_cores=sized(cores, "cores", least_sure(size, picture.basis)),
        build_hours=sized(
            spread.points * built.value / node.cores / _MS_PER_H if layout else 0.0,
            "hours",
            least_sure(size, built.basis),
        ),
        api_cores=sized(demand.queries_per_s * api_ms / 1000 / BUSY, "cores", gateway),
        index_cores_per_node=sized(asked / demand.replicas / BUSY, "cores", least_sure(size, search.basis)),
        reads_per_node=sized(_reads(demand, layout), "reads/s"),
        ingest_core_hours=sized(
            demand.pictures * (picture.value + (built.value if layout else 0.0)) / _MS_PER_H,
            "core-hours",
            least_sure(size, picture.basis, built.basis),
        ),
        search_core_hours=sized(
            demand.queries_per_s * (api_ms + search.value * spread.shards) / 1000 * _H_PER_MONTH,
            "core-hours a month",
            least_sure(size, gateway, search.basis),
        ),
    )


def _check(demand: Demand, node: Node) -> None:
    given = {
        "pictures": demand.pictures,
        "--cores": node.cores,
        "--ram": node.ram_gb,
        "--disk": node.disk_gb,
        "--replicas": demand.replicas,
        "--picture-megabytes": demand.megabytes,
        "--megapixels": demand.megapixels,
    }
    if demand.pictures_per_hour is not None:
        given["--pictures-per-hour"] = demand.pictures_per_hour
    for name, value in given.items():
        if not 0 < value < math.inf:
            raise PlanError(f"{name} is {value:g}; give a number above 0.")
    if not 0 <= demand.queries_per_s < math.inf:
        raise PlanError(f"--queries-per-s is {demand.queries_per_s:g}; give 0 or more.")


def _spread(demand: Demand, node: Node, costs: ItemCosts, layout: VectorLayout | None) -> _Spread:
    """The fewest shards of which each fits a node's memory and disk."""
    ram, disk = node.ram_gb * GB * USABLE_RAM, node.disk_gb * GB / SPARE_DISK

    def of(shards: int) -> _Spread:
        points = math.ceil(demand.pictures / shards)
        memory = index_memory(points, costs.bytes, layout)
        return _Spread(
            shards,
            points,
            memory,
            vectors_disk(points, costs.bytes, layout) + payload_disk(points, costs.bytes),
        )

    empty = of(demand.pictures)
    if empty.memory > ram or empty.disk > disk:
        raise PlanError(
            f"A node of {node.ram_gb:g} GB memory and {node.disk_gb:g} GB disk holds no shard: the smallest "
            f"takes {empty.memory / GB:.2f} GB of memory and {empty.disk / GB:.2f} GB of disk, and "
            f"{1 - USABLE_RAM:.0%} and a third stay free. Give larger ones with --ram and --disk."
        )
    least, most = 1, demand.pictures
    while least < most:
        middle = (least + most) // 2
        one = of(middle)
        least, most = (least, middle) if one.memory <= ram and one.disk <= disk else (middle + 1, most)
    return of(least)


def _kind(demand: Demand, shards: int) -> str:
    if shards > 1 or demand.replicas > 1:
        return "cluster"
    return "embedded index" if demand.pictures <= SERVED_BY_ONE else "one Qdrant server"


def _ingest(demand: Demand, node: Node, picture_ms: float) -> tuple[float, float]:
    """Hours until all are in, and the cores that embedders need for that."""
    if demand.pictures_per_hour is None:
        return demand.pictures * picture_ms / node.cores / _MS_PER_H, float(node.cores)
    return demand.pictures / demand.pictures_per_hour, demand.pictures_per_hour * picture_ms / _MS_PER_H


def _reads(demand: Demand, layout: VectorLayout | None) -> float:
    """Original vectors that a node reads a second to score candidates, from the disk if not from memory."""
    if layout is None or layout.quantization is Quantization.NONE:
        return 0.0
    return demand.queries_per_s * OVERSAMPLING * HITS / demand.replicas
