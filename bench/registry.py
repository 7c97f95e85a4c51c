"""Every benchmark that `python -m bench` runs, in its order, with its sizes: short ones and real ones."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import (
    capacity_plan,
    decode_quality,
    duplicates,
    encoders,
    event_loop,
    index_growth,
    ingest,
    ingest_memory,
    ingest_tables,
    overload,
    page,
    search_during_ingest,
    search_latency,
    search_tables,
    simulation,
    simulation_tables,
)
from bench.benchmark import Benchmark, Options, Skipped
from bench.corpora import CORPORA
from bench.models import clip_b32_artifact, clip_b32_weights, starter_artifact
from sightline.settings import Precision, Quantization

_LAYOUTS = (Quantization.NONE, Quantization.TURBO4, Quantization.INT8)
_GROWTH = (1_000, 10_000, 100_000, 500_000)


def _ingest(options: Options, model: Path | None = None, precision: Precision | None = None) -> Any:
    return ingest.measure(
        ("photos-1mb", "web") if options.quick else tuple(CORPORA),
        runs=options.runs,
        files=24 if options.quick else 160,
        stock_files=6 if options.quick else 32,
        model=model or clip_b32_artifact(),
        weights=clip_b32_weights(),
        cache=options.cache,
        precision=precision,
    )


def _ingest_int8(options: Options) -> Any:
    if options.int8 is None:
        raise Skipped("no artifact with int8 was named (--int8 FOLDER)")
    return _ingest(options, options.int8, Precision.INT8)


def _encoders(options: Options) -> Any:
    return encoders.measure(
        runs=options.runs,
        seconds=0.5 if options.quick else 4.0,
        model=clip_b32_artifact(),
        weights=clip_b32_weights(),
        cache=options.cache,
        int8=options.int8,
    )


def _search_latency(options: Options) -> Any:
    return search_latency.measure(
        points=2_000 if options.quick else 10_000,
        runs=options.runs,
        seconds=1.0 if options.quick else 4.0,
        model=clip_b32_artifact(),
        weights=clip_b32_weights(),
    )


def _search_during_ingest(options: Options) -> Any:
    return search_during_ingest.measure(
        runs=options.runs,
        files=96 if options.quick else 480,
        points=2_000 if options.quick else 10_000,
        model=clip_b32_artifact(),
        cache=options.cache,
    )


def _overload(options: Options) -> Any:
    return overload.measure(
        runs=options.runs,
        seconds=2.0 if options.quick else 10.0,
        points=2_000 if options.quick else 10_000,
        model=clip_b32_artifact(),
        cache=options.cache,
    )


def _ingest_memory(options: Options) -> Any:
    first, pictures = (100, 300) if options.quick else (1_000, 20_000)
    return ingest_memory.measure(first=first, pictures=pictures, model=str(clip_b32_artifact()))


def _event_loop(options: Options) -> Any:
    return event_loop.measure(pictures=60 if options.quick else 500, model=str(clip_b32_artifact()))


def _decode_quality(options: Options) -> Any:
    try:
        photos = decode_quality.load_photos(None, 40 if options.quick else 257, Path(".cache/captioned"))
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise Skipped(f"its photos are in a Debian package that apt-get did not fetch: {error}") from error
    return decode_quality.measure(starter_artifact(), photos)


def _index_growth(options: Options) -> Any:
    if sys.platform != "linux":
        raise Skipped("it reads memory from /proc, which only Linux has")
    sizes = _GROWTH[:2] if options.quick else _GROWTH
    idle_s = 1.0 if options.quick else index_growth.IDLE_S
    return index_growth.measure(sizes, _LAYOUTS, folder=Path(tempfile.gettempdir()), idle_s=idle_s)


def _duplicates(options: Options) -> Any:
    return duplicates.measure(5_000 if options.quick else 100_000, Path(tempfile.gettempdir()))


def _page(options: Options) -> Any:
    return page.measure(
        pictures=2_000 if options.quick else 10_000,
        searches=5 if options.quick else 20,
        model=clip_b32_artifact(),
        cache=options.cache,
    )


def _simulation(options: Options) -> Any:
    return simulation.measure(
        points=(500, 1_000, 2_000) if options.quick else (2_000, 20_000, 100_000),
        corpora=("web",) if options.quick else tuple(CORPORA),
        runs=1 if options.quick else 3,
        seconds=0.3 if options.quick else 2.0,
        files=40 if options.quick else 96,
        model=clip_b32_artifact(),
        cache=options.cache,
    )


def _capacity_plan(_: Options) -> Any:
    return capacity_plan.measure()


BENCHMARKS = (
    Benchmark(
        "ingest",
        "pictures indexed per second, against the stock loop and the stages alone",
        _ingest,
        ingest_tables.tables,
    ),
    Benchmark("ingest_int8", "the same with the image tower in int8", _ingest_int8, ingest_tables.tables),
    Benchmark(
        "encoders",
        "the encoder alone, against sentence-transformers, torch and ONNX Runtime",
        _encoders,
        encoders.tables,
    ),
    Benchmark(
        "search_latency",
        "text search over HTTP at 1, 8 and 32 clients, against a stock service",
        _search_latency,
        search_tables.tables,
    ),
    Benchmark(
        "search_during_ingest",
        "search latency idle and during ingest, and what is left of ingest",
        _search_during_ingest,
        search_during_ingest.tables,
    ),
    Benchmark(
        "overload",
        "400 clients against low limits: who is served, who is refused, and how fast",
        _overload,
        overload.tables,
    ),
    Benchmark(
        "ingest_memory",
        "resident memory by process, in a small and in a large job",
        _ingest_memory,
        ingest_memory.tables,
    ),
    Benchmark("event_loop", "how long the gateway's event loop stands still", _event_loop, event_loop.tables),
    Benchmark(
        "decode_quality",
        "what shortcuts in decoding cost, seen by a trained network",
        _decode_quality,
        decode_quality.tables,
    ),
    Benchmark(
        "index_growth",
        "search, recall, memory and builds as an index grows to 500,000 vectors",
        _index_growth,
        index_growth.tables,
    ),
    Benchmark(
        "duplicates",
        "a scan for duplicates, against comparing all with all",
        _duplicates,
        duplicates.tables,
    ),
    Benchmark(
        "page", "from the last key to the first picture on the page, and how it grows", _page, page.tables
    ),
    Benchmark(
        "simulation",
        "ingest and search foretold from their stages alone, beside what they reach",
        _simulation,
        simulation_tables.tables,
    ),
    Benchmark(
        "capacity_plan",
        "what 10^5 to 10^9 pictures take, by `sightline plan` and the simulation",
        _capacity_plan,
        capacity_plan.tables,
    ),
)
