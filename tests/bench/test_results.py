from dataclasses import replace
from pathlib import Path

from bench.machine import describe_machine
from bench.registry import BENCHMARKS
from bench.results import Results
from rich.console import Console

MADE_UP = Path(__file__).with_name("made_up.json")


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    results = Results.read(MADE_UP)

    results.write(tmp_path / "new" / "results.json")

    assert Results.read(tmp_path / "new" / "results.json") == results


def test_the_machine_survives_the_file(tmp_path: Path) -> None:
    Results(describe_machine(), {}).write(tmp_path / "results.json")

    assert Results.read(tmp_path / "results.json").machine == describe_machine()


def test_earlier_results_are_kept_on_the_same_machine_alone(tmp_path: Path) -> None:
    earlier = Results.read(MADE_UP)
    upgraded = replace(earlier.machine, libraries={"openvino": "2027.0"})

    assert Results.carry_on(MADE_UP, earlier.machine) == earlier
    assert Results.carry_on(MADE_UP, upgraded) == Results(upgraded, {})
    assert Results.carry_on(tmp_path / "none.json", upgraded) == Results(upgraded, {})


def test_every_benchmark_shows_a_result_of_its_shape() -> None:
    found = Results.read(MADE_UP).found()
    found["ingest_int8"] = found["ingest"]

    console = Console(record=True, width=130)
    for benchmark in BENCHMARKS:
        for table in benchmark.tables(found.pop(benchmark.name)):
            console.print(table)

    assert found == {}
    text = console.export_text()
    for figure in ("12.2MP-3.8MB", "openvino-int8", "1005.5", "during_p95_ms", "decoders, peak MiB", "424.0"):
        assert figure in text
