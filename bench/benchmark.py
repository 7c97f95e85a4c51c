"""What a benchmark is, and how one is run and shown."""

import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.machine import commit
from bench.results import Outcome, now


class Skipped(Exception):
    """A benchmark cannot be run here; the message says why."""


@dataclass(frozen=True)
class Options:
    """What holds for all benchmarks; `int8` is an artifact of the benchmark model that has int8."""

    quick: bool = False
    int8: Path | None = None
    cache: Path = Path(".cache/bench")

    @property
    def runs(self) -> int:
        """How many turns the medians are taken over."""
        return 1 if self.quick else 5


@dataclass(frozen=True)
class Benchmark:
    """`run` gives what goes into JSON, or raises Skipped; `tables` shows it."""

    name: str
    measures: str
    run: Callable[[Options], Any]
    tables: Callable[[Any], list[Table]]


def run(benchmark: Benchmark, options: Options) -> Outcome:
    """Run one; what it raises becomes part of the outcome, so that the others still run."""
    started = time.monotonic()
    outcome = Outcome(benchmark.measures, options.quick, commit(), now(), round(os.getloadavg()[0], 2), 0.0)
    try:
        outcome = replace(outcome, result=benchmark.run(options))
    except Skipped as reason:
        outcome = replace(outcome, skipped=str(reason))
    except Exception:
        outcome = replace(outcome, failed=traceback.format_exc())
    return replace(outcome, took_s=round(time.monotonic() - started, 1))


def show(benchmark: Benchmark, outcome: Outcome, console: Console) -> None:
    """Print the tables, or why there are none."""
    if outcome.result is not None:
        for table in benchmark.tables(outcome.result):
            console.print(table)
    elif outcome.skipped:
        console.print(f"skipped: {escape(outcome.skipped)}")
    else:
        console.print(escape(outcome.failed or ""), style="red")
