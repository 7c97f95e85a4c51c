"""Run the benchmarks one after another: tables on the terminal, results.json, and plots.

What an earlier run on the same machine left in the file stays until its benchmark is run again.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from bench.benchmark import Options, run, show
from bench.machine import describe_machine
from bench.plots import draw_plots
from bench.registry import BENCHMARKS
from bench.results import Results

RESULTS = "results.json"
_WIDTH = 130


def main() -> int:
    """Run what was asked for; 1 if a benchmark failed."""
    names = [benchmark.name for benchmark in BENCHMARKS]
    known = "\n".join(f"  {one.name:22}{one.measures}" for one in BENCHMARKS)
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=f"{__doc__}\n{known}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="short runs that only show that all of it works")
    parser.add_argument("--int8", type=Path, help="artifact folder of the benchmark model with int8")
    parser.add_argument("--out", type=Path, help="folder of results.json (.cache/bench/results; or quick)")
    parser.add_argument("--plots", type=Path, help="folder of the plots (docs/benchmarks; or OUT, if quick)")
    given = parser.parse_args()
    out = given.out or Path(".cache/bench") / ("quick" if given.quick else "results")
    plots = given.plots or (out if given.quick else Path("docs/benchmarks"))
    console = Console(width=_WIDTH)
    results = Results.carry_on(out / RESULTS, describe_machine())
    for benchmark in BENCHMARKS:
        if benchmark.name in given.only:
            console.rule(f"{benchmark.name}: {benchmark.measures}")
            outcome = run(benchmark, Options(given.quick, given.int8))
            results.benchmarks[benchmark.name] = outcome
            results.write(out / RESULTS)
            show(benchmark, outcome, console)
    drawn = draw_plots(results.found(), plots)
    console.print(f"{out / RESULTS}, and {len(drawn)} plots in {plots}")
    return 1 if any(results.benchmarks[name].failed for name in given.only) else 0


if __name__ == "__main__":
    sys.exit(main())
