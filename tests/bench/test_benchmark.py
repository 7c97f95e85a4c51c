from typing import Any

import pytest
from bench.benchmark import Benchmark, Options, Skipped, run, show
from rich.console import Console
from rich.table import Table


def benchmark(work: Any) -> Benchmark:
    return Benchmark("adding", "how numbers add up", work, lambda found: [Table("sum", str(found["sum"]))])


def shown(one: Benchmark, options: Options) -> str:
    console = Console(record=True, width=100)
    show(one, run(one, options), console)
    return console.export_text()


def test_a_result_is_kept_with_its_circumstances_and_shown() -> None:
    one = benchmark(lambda options: {"sum": 40 + options.runs})

    outcome = run(one, Options(quick=True))

    assert outcome.result == {"sum": 41}
    assert outcome.quick
    assert outcome.load_before >= 0
    assert outcome.took_s >= 0
    assert "45" in shown(one, Options())


def test_what_cannot_be_run_here_is_skipped_with_its_reason() -> None:
    def work(_: Options) -> Any:
        raise Skipped("there are no numbers here")

    assert run(benchmark(work), Options()).skipped == "there are no numbers here"
    assert "skipped: there are no numbers here" in shown(benchmark(work), Options())


def test_a_failure_is_kept_where_others_can_go_on() -> None:
    def work(_: Options) -> Any:
        raise RuntimeError("the numbers [ran] away")

    outcome = run(benchmark(work), Options())

    assert outcome.result is None
    assert "the numbers [ran] away" in (outcome.failed or "")
    assert "the numbers [ran] away" in shown(benchmark(work), Options())


def test_an_interrupt_ends_the_run() -> None:
    def work(_: Options) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(benchmark(work), Options())
