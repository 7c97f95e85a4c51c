"""`sightline bench`: this machine measured in ten seconds, and a forecast for a collection."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from sightline.logs import configure_logging
from sightline.settings import read_settings
from sightline_local.commands.options import DEFAULT_DATA, AsJson
from sightline_local.commands.output import print_json
from sightline_local.data_folder import DataFolder
from sightline_local.samples import copy_samples

FORECAST_PICTURES = (10_000, 100_000, 1_000_000)


def bench(
    photos: Annotated[
        Path | None,
        typer.Argument(metavar="PHOTOS_DIR", help="Folder of pictures like yours; else sample pictures."),
    ] = None,
    data: Annotated[
        Path, typer.Option(help="Data folder: its model is used; one that must be built is kept there.")
    ] = DEFAULT_DATA,
    model: Annotated[str | None, typer.Option(help="Model: a name, or a folder.")] = None,
    pictures: Annotated[int | None, typer.Option(min=1, help="Forecast for this many pictures too.")] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="How long to measure, about; less is rougher.")
    ] = 10.0,
    json: AsJson = False,
) -> None:
    """Measure this machine, and forecast hours, memory and disk. Needs no running stack, and touches none."""
    from sightline.index.tuning import tuning_of
    from sightline_local.forecast import forecast
    from sightline_local.forecast_report import as_json, print_report
    from sightline_local.model_choice import prepare_model
    from sightline_local.picture_sample import read_sample
    from sightline_local.quick_bench import Effort, measure

    given = {"log_level": "warning", "model": model}
    changed = {name: value for name, value in given.items() if value is not None}
    settings = read_settings().model_copy(update=changed)
    configure_logging(settings.log_level, "bench")
    kept = DataFolder(data.expanduser().resolve())
    effort = Effort.lasting(seconds)
    with Console(stderr=True).status("reading pictures") as status:
        with _pictures(photos) as folder:
            sample = read_sample(folder, effort.pictures, settings.max_picture_bytes, effort.stage_s)
        artifact = prepare_model(settings.model, kept.models)
        measured = measure(artifact, sample, settings, effort, status.update)
    tuning = tuning_of(settings)
    sizes = sorted({*FORECAST_PICTURES, pictures or FORECAST_PICTURES[0]})
    forecasts = [forecast(size, measured.rates, measured.costs, tuning) for size in sizes]
    if json:
        print_json(as_json(measured, forecasts))
    else:
        print_report(measured, forecasts, graph_from=tuning.rebuild_points, samples=photos is None)


@contextmanager
def _pictures(photos: Path | None) -> Iterator[Path]:
    if photos is not None:
        yield photos.expanduser().resolve()
        return
    with TemporaryDirectory(prefix="sightline-samples-") as folder:
        yield copy_samples(Path(folder))
