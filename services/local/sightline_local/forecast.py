"""What so many pictures take: hours to index, memory and disk of the embedded index. Arithmetic alone."""

from dataclasses import dataclass

from sightline.index.tuning import AUTO_QUANTIZED_POINTS, Tuning
from sightline.settings import Quantization
from sightline_local.index_bytes import (
    PictureCosts,
    graph_layout,
    index_memory,
    payload_disk,
    vectors_disk,
)

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
    layout = graph_layout(pictures, tuning)
    memory = index_memory(pictures, costs, layout)
    before = min(pictures, AUTO_QUANTIZED_POINTS - 1)
    return Forecast(
        pictures=pictures,
        hours=pictures / rates.together / _S_PER_H,
        quantization=layout.quantization if layout else Quantization.NONE,
        memory=memory,
        peak_memory=max(memory, index_memory(before, costs, graph_layout(before, tuning))),
        vectors_disk=vectors_disk(pictures, costs, layout),
        payload_disk=payload_disk(pictures, costs),
        thumbnails_disk=round(pictures * costs.thumbnail_disk),
    )
