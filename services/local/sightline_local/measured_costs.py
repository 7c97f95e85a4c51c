"""The costs that were measured, and those of other models and machines.

Of ViT-B/32 on two cores of an AMD EPYC with AVX-512 bf16 and no AMX: docs/benchmarks.md. A core-millisecond
there is one elsewhere only roughly; `sightline bench --json` measures a machine.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.settings import Precision, Quantization
from sightline_local.errors import PlanError
from sightline_local.figures import Basis, Figure
from sightline_local.index_bytes import PictureCosts
from sightline_local.item_costs import DecodeCosts, ItemCosts
from sightline_local.towers import MEASURED_MODEL, Tower, shape_of

_CORES = 2
_BENCHMARKS = "docs/benchmarks.md"
_GROWTH = f"{_BENCHMARKS}, growth: 500,000 points of 512 dimensions"
_MEMORY = f"{_BENCHMARKS}, memory"


def _measured(value: float, source: str, unit: str = "core-ms") -> Figure:
    return Figure(value, unit, Basis.MEASURED, source)


def _at(per_s: float) -> float:
    """Core-milliseconds of a picture, at so many a second on the cores that were measured."""
    return _CORES / per_s * 1000


_CORPORA = (((0.8, 0.2), _at(219)), ((12.2, 1.0), _at(87)), ((12.2, 3.8), _at(46)))
"""Megapixels and megabytes of a file, and what decoding it took."""
_ENCODE = {Precision.F32: _at(23.9), Precision.BF16: _at(47.1), Precision.INT8: _at(84.7)}
_TEXT = {Precision.F32: _CORES * 9.9, Precision.BF16: _CORES * 6.3, Precision.INT8: _CORES * 6.3}
"""A short text; artifacts with int8 have their text tower in bf16."""


_INSERT = _at(6_900)
_WHOLE = ((34.0, 36.8), (26.4, 28.9), (18.9, 21.8))
"""Pictures a second of the whole path, and what its stages allow together, in bf16 on the three corpora."""


def _beside() -> tuple[float, float]:
    """What the whole path takes beside its stages, for each picture and each megabyte: the line through the
    smallest and the largest corpus, on which the third lies too."""
    small, large = (_at(whole) - _at(stages) - _INSERT for whole, stages in (_WHOLE[0], _WHOLE[-1]))
    (_, few), (_, many) = _CORPORA[0][0], _CORPORA[-1][0]
    megabyte = (large - small) / (many - few)
    return small - megabyte * few, megabyte


def _decode_costs() -> DecodeCosts:
    """The plane through the three corpora, so that it is exact for them."""
    (web, web_ms), (light, light_ms), (heavy, heavy_ms) = _CORPORA
    megabyte = (heavy_ms - light_ms) / (heavy[1] - light[1])
    megapixel = (light_ms - web_ms - megabyte * (light[1] - web[1])) / (light[0] - web[0])
    return DecodeCosts(web_ms - megapixel * web[0] - megabyte * web[1], megapixel, megabyte)


# Its bytes are those of `sightline bench` on the sample pictures.
_B32 = ItemCosts(
    model=MEASURED_MODEL,
    numerics=Precision.BF16.value,
    megabytes=_CORPORA[-1][0][1],
    bytes=PictureCosts(
        dimension=512,
        index_empty=53.6e6,
        memory_beside_vector=3_433,
        payload_disk=1_178,
        thumbnail_disk=17_695,
    ),
    bytes_basis=Basis.MEASURED,
    decode=_measured(_CORPORA[2][1], f"{_BENCHMARKS}, ingest: decode, by megapixels and megabytes"),
    decode_by_size=_decode_costs(),
    encode=_measured(_ENCODE[Precision.BF16], f"{_BENCHMARKS}, the encoder alone"),
    thumbnail=_measured(_at(409), f"{_BENCHMARKS}, ingest: thumbnails"),
    insert=_measured(_INSERT, f"{_BENCHMARKS}: 6,900 points a second into the embedded index"),
    beside=_measured(_beside()[0], f"{_BENCHMARKS}, ingest: the whole path without its stages"),
    beside_megabyte=_measured(_beside()[1], f"{_BENCHMARKS}, ingest: the whole path without its stages"),
    text=_measured(_TEXT[Precision.BF16], f"{_BENCHMARKS}, the encoder alone: one short text"),
    gateway=_measured(2.5, f"{_BENCHMARKS}, search: 14.2 ms, of which 11.7 are encoder and index"),
    search={
        Quantization.NONE: _measured(3.3, _GROWTH),
        Quantization.TURBO4: _measured(4.0, _GROWTH),
        Quantization.INT8: _measured(3.9, _GROWTH),
    },
    build={
        Quantization.NONE: _measured(_at(500e3 / 367), _GROWTH),
        Quantization.TURBO4: _measured(_at(500e3 / 173), _GROWTH),
        Quantization.INT8: _measured(_at(500e3 / 171), _GROWTH),
    },
    redis_job=_measured(11, _MEMORY, "bytes"),
    redis_synced=_measured(180, "docs/sources.md, folders", "bytes"),
    api_memory=_measured(698 << 20, _MEMORY, "bytes"),
    embedder_memory=_measured((762 + 175) << 20, _MEMORY, "bytes"),
)


def costs_of(model: str, precision: Precision) -> ItemCosts:
    """The costs of a model known by name; what its towers compute more than ViT-B/32's, they take longer.

    `auto` is bf16. Raises PlanError for a model whose shape is not known.
    """
    taken = Precision.BF16 if precision is Precision.AUTO else precision
    shape, measured = shape_of(model), shape_of(MEASURED_MODEL)
    return replace(
        _B32,
        model=model,
        numerics=taken.value,
        encode=_scaled(replace(_B32.encode, value=_ENCODE[taken]), shape.image, measured.image),
        text=_scaled(replace(_B32.text, value=_TEXT[taken]), shape.text, measured.text),
        bytes=replace(_B32.bytes, dimension=shape.dimension),
    )


def _scaled(measured: Figure, tower: Tower, of: Tower) -> Figure:
    if tower == of:
        return measured
    source = f"{measured.source}, times the operations of the towers"
    factor = tower.operations / of.operations
    return replace(measured, value=measured.value * factor, basis=Basis.EXTRAPOLATED, source=source)


def costs_from_bench(path: Path) -> ItemCosts:
    """What `sightline bench --json` found on a machine, in place of what it measures; raises PlanError.

    What that does not measure stays as it was on the machine of the benchmarks: HNSW, gateway, queue, memory
    of the services.
    """
    try:
        found = json.loads(path.read_text())["measured"]
        return _of_bench(found, f"sightline bench, {path.name}")
    except OSError as error:
        raise PlanError(
            f"The figures in {path} cannot be read: {error.strerror}. Name a file that `sightline bench "
            f"--json` wrote."
        ) from error
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise PlanError(
            f"{path} is not what `sightline bench --json` writes ({type(error).__name__}: {error}). Run "
            f"`sightline bench --json > {path.name}` and name that file."
        ) from error


def _of_bench(found: Mapping[str, Any], source: str) -> ItemCosts:
    cores, rates = found["cores"], found["rates"]

    def of(per_s: float) -> Figure:
        return _measured(cores / per_s * 1000, source)

    return replace(
        _B32,
        model=found["model"],
        numerics=found["numerics"],
        megabytes=found["bytes_per_picture"] / 1e6,
        bytes=PictureCosts(**found["costs"]),
        decode=of(rates["decode"]),
        decode_by_size=None,
        thumbnail=_measured(0.0, f"{source}: made while decoding"),
        encode=of(rates["encode"]),
        insert=of(rates["insert"]),
        text=_measured(cores * found["text_ms"], source),
    )
