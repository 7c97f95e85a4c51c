"""How vectors are kept and searched: quantization, what stays in memory, and when HNSW is built again."""

from dataclasses import dataclass, replace

from sightline.settings import Quantization, Settings

AUTO_QUANTIZED_POINTS = 1_000_000
"""From here `auto` compresses: below, a collection fits in 2 GB of memory uncompressed (512 dimensions)."""
HNSW_M = 16
HNSW_EF_CONSTRUCT = 100
NEIGHBOURS_EF = 40
"""For the nearest of stored points, which are found with less: duplicates are far nearer than all others."""
SMALLEST_GRAPH_KB = 1
"""An embedded index builds no graph of vectors that take less; whoever optimizes wants all others in it."""
OVERSAMPLING = 4.0
"""Candidates taken from compressed vectors for each result, then scored by the original vectors.

Among 500,000 vectors in dense clusters, twice as many lose 2 % of the nearest, and four times lose none, in
the same time.
"""
SCANNED_POINTS = 20_000
"""Where no more points match a filter by place, a search compares all of them."""
FILTERED_EF_FACTOR = 1.5
"""Under a filter that half of 100,000 points match, and half of the queries' surroundings do not, 400
candidates find 97.7 % of the nearest and 600 find 99.0 %, for one to three milliseconds more.
"""
GROWTH_SHARE = 0.2


@dataclass(frozen=True)
class VectorLayout:
    """How the vectors of one collection are kept; `quantization` is never `auto`."""

    quantization: Quantization = Quantization.NONE
    on_disk: bool = False


@dataclass(frozen=True)
class Tuning:
    """What the settings say about every collection."""

    quantization: Quantization = Quantization.AUTO
    vectors_on_disk: bool | None = None
    rebuild_points: int = 20_000
    reclaimed_points: int = 50_000
    """Deleted points whose room is worth a build: the engine keeps it until then, 1.7 KB of 384 dimensions.

    What is built gets a process of its own, which takes as much as 50,000 of them.
    """
    full_scan_kb: int = 40_000
    """20,000 vectors of 512 dimensions: where fewer match a filter, it is quicker to compare them all.

    Of 100,000, 10,000 take 3 ms one by one and 8 by the graph, and 25,000 take 8 ms both ways.
    """

    def of(self, quantization: Quantization | None) -> "Tuning":
        """The same for a collection that was made with a quantization of its own, if it was."""
        return self if quantization is None else replace(self, quantization=quantization)

    def layout(self, points: int, held: VectorLayout | None = None) -> VectorLayout:
        """The layout for a collection of so many points that has the layout `held`.

        What is not set stays as it is held, except that `auto` compresses a collection that has grown large.
        """
        before = held or VectorLayout()
        quantization = self.quantization
        if quantization is Quantization.AUTO:
            quantization = before.quantization
            if quantization is Quantization.NONE and points >= AUTO_QUANTIZED_POINTS:
                quantization = Quantization.TURBO4
        on_disk = self.vectors_on_disk
        if on_disk is None:
            kept = quantization is before.quantization
            on_disk = before.on_disk if kept else quantization is not Quantization.NONE
        return VectorLayout(quantization, on_disk)

    def rebuild_due(self, points: int, indexed: int) -> bool:
        """Whether so many points lie outside HNSW that searching them one by one costs more than building."""
        return points - indexed >= max(self.rebuild_points, GROWTH_SHARE * indexed)

    def reclaim_due(self, points: int, deleted: int) -> bool:
        """Whether so many points were deleted that building again is worth the memory that it frees."""
        return deleted >= max(self.reclaimed_points, GROWTH_SHARE * points)


def tuning_of(settings: Settings) -> Tuning:
    """What these settings say."""
    return Tuning(
        quantization=settings.quantization,
        vectors_on_disk=settings.vectors_on_disk,
        rebuild_points=settings.index_rebuild_points,
        full_scan_kb=settings.index_full_scan_kb,
    )
