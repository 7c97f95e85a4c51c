"""What one picture and one search cost, each figure with where it comes from: what plans are made of."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sightline.settings import Quantization
from sightline_local.figures import Basis, Figure, least_sure
from sightline_local.index_bytes import PictureCosts

MEASURED_POINTS = 500_000
"""The largest collection that was measured; what is said of larger ones is extrapolated."""
MEASURED_DIMENSION = 512


@dataclass(frozen=True)
class DecodeCosts:
    """Core-milliseconds of decoding a JPEG: something for each picture, megapixel and megabyte."""

    picture: float
    megapixel: float
    megabyte: float

    def of(self, megapixels: float, megabytes: float) -> float:
        """For a picture of that size."""
        return self.picture + self.megapixel * megapixels + self.megabyte * megabytes


@dataclass(frozen=True)
class ItemCosts:
    """Costs of one picture and of one search, in core-milliseconds and bytes.

    `beside` is what queue, ledger, files and the embedder itself take of a picture, and of each of its
    megabytes, which are read, hashed and passed on, `beside_megabyte`. `gateway` is what a search takes of
    the gateway beside its text. `search` and `build` (taking a point into HNSW) are by quantization,
    in one shard of MEASURED_POINTS points of MEASURED_DIMENSION. `decode_by_size` is None where pictures like
    the user's were measured: `decode` holds for them, whatever their size.
    """

    model: str
    numerics: str
    megabytes: float
    """Of a picture's file, where nothing else is said."""
    bytes: PictureCosts
    bytes_basis: Basis
    decode: Figure
    decode_by_size: DecodeCosts | None
    encode: Figure
    thumbnail: Figure
    insert: Figure
    beside: Figure
    beside_megabyte: Figure
    text: Figure
    gateway: Figure
    search: Mapping[Quantization, Figure]
    build: Mapping[Quantization, Figure]
    redis_job: Figure
    redis_synced: Figure
    api_memory: Figure
    embedder_memory: Figure

    def decoding(self, megapixels: float, megabytes: float) -> Figure:
        """Of a picture of that size."""
        if self.decode_by_size is None:
            return self.decode
        value = self.decode_by_size.of(megapixels, megabytes)
        exact = math.isclose(value, self.decode.value)
        return replace(self.decode, value=value, basis=Basis.MEASURED if exact else Basis.EXTRAPOLATED)

    def picture(self, megapixels: float, megabytes: float) -> Figure:
        """All that a picture costs on its way in, HNSW apart."""
        parts = (
            self.decoding(megapixels, megabytes),
            self.thumbnail,
            self.encode,
            self.insert,
            self.beside,
        )
        basis = least_sure(*(part.basis for part in parts))
        value = sum(part.value for part in parts) + self.beside_megabyte.value * megabytes
        return Figure(value, "core-ms", basis)

    def searching(self, points: float, quantization: Quantization) -> Figure:
        """Of a search in one shard of so many points."""
        return self._grown(self.search[quantization], points)

    def building(self, points: float, quantization: Quantization) -> Figure:
        """Of taking a point into the HNSW of one shard of so many points."""
        return self._grown(self.build[quantization], points)

    def _grown(self, at: Figure, points: float) -> Figure:
        """The steps of HNSW grow with the logarithm of the points (Malkov and Yashunin, 2016, section 4.2.1),
        and what each compares with the dimension."""
        factor = max(1.0, math.log(max(points, 2)) / math.log(MEASURED_POINTS))
        factor *= self.bytes.dimension / MEASURED_DIMENSION
        if factor == 1:
            return at
        return replace(at, value=at.value * factor, basis=Basis.EXTRAPOLATED)
