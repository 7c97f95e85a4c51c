"""What breaks first as a collection grows, from which number of pictures on, and what to do then."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sightline.index.connect import SEARCHING
from sightline.index.tuning import AUTO_QUANTIZED_POINTS, SCANNED_POINTS, Tuning, VectorLayout
from sightline_local.capacity import GB, SPARE_DISK, USABLE_RAM, Demand, Node
from sightline_local.figures import Basis
from sightline_local.index_bytes import index_memory, vectors_disk
from sightline_local.item_costs import ItemCosts

_ANY = 10**6
"""Points enough that what a process takes without any does not show in the bytes of one."""
_MONTH_H = 730
_MS_PER_H = 3.6e6
_INODE_BYTES = 16_384
"""Of disk for each file that ext4 can have, unless it was made with another ratio (mke2fs.conf)."""
_FILES = 2
"""Of a picture that was uploaded: thumbnail and original."""
_REDIS_BYTES = GB
_SCAN_S_PER_POINT = 52.1e-3 / 500_000
"""An exact search of 500,000 points: docs/benchmarks.md, growth."""


@dataclass(frozen=True)
class BreakingPoint:
    """`pictures` is where it begins to matter, with this demand and these nodes."""

    name: str
    pictures: int
    what: str
    remedy: str
    basis: Basis


def breaking_points(demand: Demand, node: Node, costs: ItemCosts, tuning: Tuning) -> Sequence[BreakingPoint]:
    """All that are known, in the order in which a growing collection meets them."""
    found = [*_of_the_index(node, costs, tuning), *_of_the_rest(demand, node, costs)]
    return sorted(found, key=lambda one: one.pictures)


def _point_bytes(costs: ItemCosts, layout: VectorLayout) -> tuple[float, float]:
    """Memory and disk of a point in HNSW."""
    memory = index_memory(2 * _ANY, costs.bytes, layout) - index_memory(_ANY, costs.bytes, layout)
    disk = vectors_disk(_ANY, costs.bytes, layout) / _ANY + costs.bytes.payload_disk
    return memory / _ANY, disk


def _of_the_index(node: Node, costs: ItemCosts, tuning: Tuning) -> Iterator[BreakingPoint]:
    ram, disk_bytes = node.ram_gb * GB, node.disk_gb * GB
    plain, _ = _point_bytes(costs, VectorLayout())
    layout = tuning.layout(AUTO_QUANTIZED_POINTS)
    memory, disk = _point_bytes(costs, layout)
    yield BreakingPoint(
        "comparing all",
        SCANNED_POINTS,
        "A search that compares with every vector takes longer than one through a graph.",
        "Nothing: HNSW is built by itself.",
        Basis.MEASURED,
    )
    yield BreakingPoint(
        "memory of uncompressed vectors",
        round(ram * USABLE_RAM / plain),
        f"Vectors in float32 with their graph, {plain:,.0f} bytes each, fill one node's memory.",
        "SIGHTLINE_QUANTIZATION=auto (turbo4 from 1,000,000 on), which loses a little recall.",
        Basis.EXTRAPOLATED,
    )
    yield BreakingPoint(
        "building beside the embedded index",
        round(ram * USABLE_RAM / (2 * memory)),
        "A build of HNSW takes as much memory again, and twice the disk, on the only machine there is.",
        "A Qdrant server (SIGHTLINE_QDRANT_URL), which builds in segments.",
        Basis.EXTRAPOLATED,
    )
    yield BreakingPoint(
        "memory of one node",
        round(ram * USABLE_RAM / memory),
        f"With {layout.quantization.value}, {memory:,.0f} bytes a picture fill one node's memory.",
        "Shards on several nodes (docs/cluster.md).",
        Basis.EXTRAPOLATED,
    )
    yield BreakingPoint(
        "disk of one node",
        round(disk_bytes / SPARE_DISK / disk),
        f"Vectors and payload, {disk:,.0f} bytes a picture and half as much for rewriting, fill its disk.",
        "Larger disks, or shards on several nodes.",
        Basis.EXTRAPOLATED,
    )
    if layout.on_disk:
        originals = costs.bytes.vector
        yield BreakingPoint(
            "page cache of original vectors",
            round(ram / (memory + originals)),
            "Original vectors, which score the candidates, no longer stay in the page cache: a search reads "
            "some 80 of them from the disk in each shard.",
            "NVMe disks, more memory, or vectors in memory (SIGHTLINE_VECTORS_ON_DISK=false) on more nodes.",
            Basis.EXTRAPOLATED,
        )
    yield BreakingPoint(
        "measuring recall",
        round(SEARCHING.answer_s / _SCAN_S_PER_POINT),
        f"The exact search that recall is measured with takes {SEARCHING.answer_s} s of one node, and is "
        f"given up.",
        "SIGHTLINE_RECALL_SAMPLE_S=0, and sightline eval on judged queries.",
        Basis.EXTRAPOLATED,
    )


def _of_the_rest(demand: Demand, node: Node, costs: ItemCosts) -> Iterator[BreakingPoint]:
    picture = costs.picture(demand.megapixels, demand.megabytes)
    yield BreakingPoint(
        "a month of ingest",
        round(_MONTH_H * _MS_PER_H * node.cores / picture.value),
        f"{node.cores} cores take a month to bring pictures in.",
        "More embedders on the same queue: the work is pictures, not points in one place.",
        Basis.EXTRAPOLATED,
    )
    yield BreakingPoint(
        "files of the media folder",
        round(node.disk_gb * GB / _INODE_BYTES / _FILES),
        "A thumbnail and an original each are more files than ext4 has room for on such a disk by default.",
        "A bucket for media, or a file system with more inodes. 65,536 folders share the files.",
        Basis.DOCUMENTED,
    )
    yield BreakingPoint(
        "Redis, of synced folders",
        round(_REDIS_BYTES / costs.redis_synced.value),
        "What syncs have seen of files, some 180 bytes each, takes 1 GB of Redis.",
        "Memory for Redis, or imports without sync.",
        Basis.EXTRAPOLATED,
    )
    yield BreakingPoint(
        "Redis, of jobs",
        round(_REDIS_BYTES / costs.redis_job.value),
        "The ledger of jobs of the last 30 days, some 11 bytes a picture, takes 1 GB of Redis.",
        "SIGHTLINE_JOB_RETENTION_DAYS, or memory for Redis.",
        Basis.EXTRAPOLATED,
    )
