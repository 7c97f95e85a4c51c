"""`sightline eval --model`: artifacts measured here, without a running Sightline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from sightline.logs import configure_logging
from sightline.settings import Precision, Quantization, Settings, read_settings
from sightline_local.bars import Bars
from sightline_local.commands.output import print_json
from sightline_local.comparison import Grid, compare
from sightline_local.comparison_plot import check_plot, draw_comparison
from sightline_local.comparison_report import as_json, print_comparison
from sightline_local.errors import EvaluationError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Asked:
    """What to compare, as it was typed; an empty list is what the settings say."""

    models: Sequence[Path]
    precisions: Sequence[Precision]
    quantizations: Sequence[Quantization]
    efs: Sequence[int]
    exact: bool
    plot: Path | None

    def grid(self, settings: Settings) -> Grid:
        """Every combination, each once. Without an `ef`, `exact` takes the place of the usual one."""
        usual = [] if self.exact else [settings.search_ef]
        return Grid(
            models=_distinct([path.resolve() for path in self.models]),
            precisions=_distinct(self.precisions or [settings.precision]),
            quantizations=_distinct(self.quantizations or [settings.quantization]),
            efs=[*_distinct(self.efs or usual), *([None] if self.exact else [])],
        )


def measure_models(folder: Path, asked: Asked, bars: Bars, json: bool) -> bool:
    """Print what each configuration finds, and draw it if a plot was asked for; whether all meet the bars."""
    if not folder.is_dir():
        raise EvaluationError(f"With --model, give a folder of captioned pictures: {folder} is a file.")
    if asked.plot is not None:
        check_plot(asked.plot)
    settings = read_settings().model_copy(update={"log_level": "warning"})
    configure_logging(settings.log_level, "eval")
    with Console(stderr=True).status("reading captions") as status:
        comparison = compare(folder, asked.grid(settings), settings, status.update)
    if json:
        print_json(as_json(comparison, bars))
    else:
        print_comparison(comparison, bars)
    if asked.plot is not None:
        draw_comparison(comparison.rows, asked.plot)
    return not any(bars.missed(row.figures) for row in comparison.rows)


def _distinct(items: Sequence[_T]) -> list[_T]:
    return list(dict.fromkeys(items))
