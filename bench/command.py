"""Benches as commands of their own: the options that they share, and what becomes of their figures."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_MODELS = Path(".cache/models")


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """A parser with --json and --model; `description` is the docstring of a bench, printed as it stands."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    model = _MODELS / "clip-b32-random"
    parser.add_argument("--model", type=Path, default=model, help="artifact folder")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    return parser


def add_weights(parser: argparse.ArgumentParser) -> None:
    """--weights: for a bench that compares with sentence-transformers."""
    weights = _MODELS / "clip-b32-random-weights"
    about = "the same model as sentence-transformers loads it"
    parser.add_argument("--weights", type=Path, default=weights, help=about)


def add_cache(parser: argparse.ArgumentParser) -> None:
    """--cache: for a bench that makes pictures."""
    parser.add_argument("--cache", type=Path, default=Path(".cache/bench"), help="where pictures are kept")


def measure_and_print(
    parser: argparse.ArgumentParser,
    measure: Callable[..., dict[str, Any]],
    tables: Callable[[dict[str, Any]], Sequence[Table]],
) -> None:
    """Measure with the options given, print the tables, and with --json write the figures to a file."""
    options = vars(parser.parse_args())
    out = options.pop("json")
    found = measure(**options)
    if out:
        out.write_text(json.dumps(found, indent=2) + "\n")
    for table in tables(found):
        Console(width=130).print(table)
