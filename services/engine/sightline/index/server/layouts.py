"""How vectors are held in memory, in the server's words and in ours."""

from qdrant_client import models

from sightline.settings import Quantization


def quantization_config(
    kind: Quantization,
) -> models.ScalarQuantization | models.TurboQuantization | None:
    """What a server is told; None for full vectors."""
    match kind:
        case Quantization.INT8:
            scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
            return models.ScalarQuantization(scalar=scalar)
        case Quantization.TURBO4:
            bits = models.TurboQuantBitSize.BITS4
            return models.TurboQuantization(
                turbo=models.TurboQuantQuantizationConfig(always_ram=True, bits=bits)
            )
        case _:
            return None


def quantization_of(config: models.QuantizationConfig | None) -> Quantization:
    """What a server has; any kind that is not ours counts as none, so that ours replaces it if asked for."""
    match config:
        case models.ScalarQuantization():
            return Quantization.INT8
        case models.TurboQuantization(turbo=turbo) if turbo.bits is models.TurboQuantBitSize.BITS4:
            return Quantization.TURBO4
        case _:
            return Quantization.NONE
