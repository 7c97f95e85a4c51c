"""What so many pictures take: hours to index, memory and disk of the embedded index. Arithmetic alone.

The formulas for what no short measurement can see (graph and codes, once HNSW is built) have their sources
beside them.
"""

from dataclasses import dataclass

from sightline.index.tuning import AUTO_QUANTIZED_POINTS, HNSW_M, Tuning, VectorLayout
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
_S_PER_H = 3600


@dataclass(frozen=True)
class StageRates:
    """Pictures per second of each stage alone, on all cores; `decode` makes thumbnails too."""

    decode: float
    encode: float
    insert: float

    @property
    def together(self) -> float:
        """The best that stages can reach on the same cores: a picture's time is that of all stages.

        Where they do not share all cores (an encoder on a GPU, fewer decode processes than cores) they reach
        more, at best the rate of the slowest.
        """
        return 1 / (1 / self.decode + 1 / self.encode + 1 / self.insert)


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


@dataclass(frozen=True)
class Forecast:
    """What `pictures` take; all sizes are bytes.

    `memory` is what the index holds at rest, `peak_memory` what it held before that if it was more: until
    it was compressed. `payload_disk` has payloads, their indexes, ids, and the write-ahead log.
    """

    pictures: int
    hours: float
    quantization: Quantization
    memory: int
    peak_memory: int
    vectors_disk: int
    payload_disk: int
    thumbnails_disk: int

    @property
    def disk(self) -> int:
        """All of it, originals apart."""
        return self.vectors_disk + self.payload_disk + self.thumbnails_disk


def forecast(pictures: int, rates: StageRates, costs: PictureCosts, tuning: Tuning) -> Forecast:
    """Forecast for so many pictures in one collection of an embedded index with this tuning."""
    layout = _layout(pictures, tuning)
    vector = costs.vector
    if tuning.rebuild_due(pictures, 0):
        vector += code_bytes(layout.quantization, costs.dimension) + LINK_BYTES
    memory = _memory(pictures, costs, tuning)
    return Forecast(
        pictures=pictures,
        hours=pictures / rates.together / _S_PER_H,
        quantization=layout.quantization,
        memory=memory,
        peak_memory=max(memory, _memory(min(pictures, AUTO_QUANTIZED_POINTS - 1), costs, tuning)),
        vectors_disk=pictures * vector,
        payload_disk=round(pictures * costs.payload_disk) + LOG_BYTES,
        thumbnails_disk=round(pictures * costs.thumbnail_disk),
    )


def _layout(pictures: int, tuning: Tuning) -> VectorLayout:
    """Vectors are compressed and put out of memory when HNSW is built."""
    return tuning.layout(pictures) if tuning.rebuild_due(pictures, 0) else VectorLayout()


def _memory(pictures: int, costs: PictureCosts, tuning: Tuning) -> int:
    """Bytes at rest, with all points in HNSW once there is one."""
    if not tuning.rebuild_due(pictures, 0):
        return round(costs.index_empty + pictures * (costs.vector + costs.memory_beside_vector))
    layout = _layout(pictures, tuning)
    point = code_bytes(layout.quantization, costs.dimension) + LINK_BYTES + ID_BYTES
    point += 0 if layout.on_disk else costs.vector
    return round(costs.index_empty + GRAPH_PROCESS_BYTES + pictures * point)


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
