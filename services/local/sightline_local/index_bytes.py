"""What points take in memory and on disk, by how their vectors are kept: arithmetic of forecasts and plans.

The formulas for what no short measurement can see (graph and codes, once HNSW is built) have their sources
beside them.
"""

from dataclasses import dataclass

from sightline.index.tuning import HNSW_M, Tuning, VectorLayout
from sightline.settings import Quantization

LINK_BYTES = 2 * HNSW_M * 4
"""Of a point's links in HNSW: 2 m neighbours in the lowest layer, 4 bytes each (Malkov and Yashunin,
"Efficient and robust approximate nearest neighbor search using HNSW", 2016, section 4.2.3). An upper bound:
the engine compresses them."""
ID_BYTES = 40
"""Of a point's id, a UUID, with its places in the tables that map it to the vector and back."""
GRAPH_PROCESS_BYTES = 90 << 20
"""Of the process that a collection with HNSW has of its own, without its points: measured."""
LOG_BYTES = 96 << 20
"""Of the write-ahead log on disk, however many points there are: three segments of 32 MiB."""
_VALUE_BYTES = 4


@dataclass(frozen=True)
class PictureCosts:
    """Bytes that a picture takes, as measured.

    `index_empty` is the index process without points. Outside HNSW, a point takes its vector and
    `memory_beside_vector`: id, payload indexes, which are read from disk once HNSW is built. `payload_disk`
    is all of it on disk but vector and log.
    """

    dimension: int
    index_empty: float
    memory_beside_vector: float
    payload_disk: float
    thumbnail_disk: float

    @property
    def vector(self) -> int:
        """Of a vector in float32."""
        return self.dimension * _VALUE_BYTES


def graph_layout(pictures: int, tuning: Tuning) -> VectorLayout | None:
    """How vectors are kept in HNSW; None while there are too few for a graph.

    They are compressed and put out of memory when HNSW is built.
    """
    return tuning.layout(pictures) if tuning.rebuild_due(pictures, 0) else None


def index_memory(points: int, costs: PictureCosts, layout: VectorLayout | None) -> int:
    """Bytes at rest, with all points in HNSW once there is one."""
    if layout is None:
        return round(costs.index_empty + points * (costs.vector + costs.memory_beside_vector))
    point = code_bytes(layout.quantization, costs.dimension) + LINK_BYTES + ID_BYTES
    point += 0 if layout.on_disk else costs.vector
    return round(costs.index_empty + GRAPH_PROCESS_BYTES + points * point)


def vectors_disk(points: int, costs: PictureCosts, layout: VectorLayout | None) -> int:
    """Bytes of vectors, codes and graph on disk."""
    vector = costs.vector
    if layout is not None:
        vector += code_bytes(layout.quantization, costs.dimension) + LINK_BYTES
    return points * vector


def payload_disk(points: int, costs: PictureCosts) -> int:
    """Bytes of payloads, their indexes, ids, and the write-ahead log."""
    return round(points * costs.payload_disk) + LOG_BYTES


def code_bytes(quantization: Quantization, dimension: int) -> int:
    """Of a vector's codes: a byte for each dimension in int8, half of one in TurboQuant of 4 bits
    (Zandieh et al., "TurboQuant", 2025)."""
    match quantization:
        case Quantization.INT8:
            return dimension
        case Quantization.TURBO4:
            return (dimension + 1) // 2
        case _:
            return 0
