"""What `sightline bench` found, for a reader and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.filesize import decimal

from sightline.index.tuning import AUTO_QUANTIZED_POINTS
from sightline_local.commands.output import print_table
from sightline_local.forecast import Forecast
from sightline_local.quick_bench import Measured
from sightline_local.stage_bench import BATCH

_NOTES = (
    "Measured: the rates, the index with {points:,} points, payloads and thumbnails on disk. Extrapolated: "
    "time is pictures divided by the rate of all together; files, queue and ledger take some 10 % more.",
    "RAM is that of the index at rest. From {graph:,} pictures on a graph is built now and then: for a while "
    "that takes as much again, and free disk of twice the index. Model and services take 1 to 2 GB.",
    "Originals of uploaded pictures are kept and come on top; those in folders stay where they are.",
)
_COMPRESSED = "Vectors are compressed from {points:,} pictures on; until then RAM grows to {peak}."
_SAMPLES = "These are sample pictures. Name a folder of yours to measure on those."
_GB = 10**9


def as_json(measured: Measured, forecasts: Sequence[Forecast]) -> dict[str, Any]:
    """Everything, in pictures per second, milliseconds, bytes and hours."""
    figures = asdict(measured)
    figures["rates"]["together"] = measured.rates.together
    return {
        "measured": figures,
        "forecast": [asdict(one) | {"disk": one.disk} for one in forecasts],
    }


def print_report(
    measured: Measured, forecasts: Sequence[Forecast], *, graph_from: int, samples: bool
) -> None:
    """Two tables, and what of them is measured. `samples`: on pictures that are not the user's."""
    print_table(("measured", "here"), list(_measured_rows(measured)))
    print_table(
        ("pictures", "time", "layout", "RAM", "vectors", "payload", "thumbs", "disk"),
        [_forecast_row(one) for one in forecasts],
    )
    notes = [note.format(points=measured.index_points, graph=graph_from) for note in _NOTES]
    peaks = [one.peak_memory for one in forecasts if one.peak_memory > one.memory]
    if peaks:
        notes.append(_COMPRESSED.format(points=AUTO_QUANTIZED_POINTS, peak=_size(max(peaks))))
    for note in [*notes, *([_SAMPLES] if samples else [])]:
        Console().print(note, highlight=False)


def _measured_rows(measured: Measured) -> Iterator[tuple[str, str]]:
    rates, costs = measured.rates, measured.costs
    yield "model", f"{measured.model}, {costs.dimension} dimensions, {measured.numerics}"
    yield "cores", str(measured.cores)
    yield "pictures", _sample(measured)
    yield "decoding, with thumbnails", f"{rates.decode:.1f} pictures/s"
    yield f"encoder, batches of {BATCH}", f"{rates.encode:.1f} pictures/s"
    yield "insertion into the index", f"{rates.insert:,.0f} pictures/s"
    yield "all together", f"{rates.together:.1f} pictures/s"
    yield "encoding a text", f"{measured.text_ms:.1f} ms"
    yield f"search among {measured.index_points:,}", f"{measured.search_ms:.1f} ms"
    yield "a point in memory", f"{costs.vector + costs.memory_beside_vector:,.0f} bytes"
    yield "a point on disk", f"{costs.vector + costs.payload_disk:,.0f} bytes"
    yield "a thumbnail on disk", f"{costs.thumbnail_disk:,.0f} bytes"


def _sample(measured: Measured) -> str:
    of = f"{measured.listed:,}" if measured.whole_folder else f"the first {measured.listed:,}"
    skipped = f", {measured.skipped} skipped" if measured.skipped else ""
    return f"{measured.pictures} of {of}, {decimal(round(measured.bytes_per_picture))} each{skipped}"


def _forecast_row(one: Forecast) -> tuple[str, ...]:
    return (
        f"{one.pictures:,}",
        _time(one.hours),
        one.quantization.value,
        *map(_size, (one.memory, one.vectors_disk, one.payload_disk, one.thumbnails_disk, one.disk)),
    )


def _size(size: int) -> str:
    return decimal(size, precision=1 if size >= _GB else 0)


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{hours * 60:.0f} min" if hours * 60 >= 1 else f"{hours * 3600:.0f} s"
