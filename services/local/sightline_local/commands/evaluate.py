"""`sightline eval`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline.settings import Precision, Quantization
from sightline_local.client import ApiClient
from sightline_local.commands.options import (
    DEFAULT_URL,
    AsJson,
    Collection,
    FilterJson,
    Url,
    client,
    filter_tree,
)
from sightline_local.commands.output import print_json, print_table

if TYPE_CHECKING:
    from sightline_local.bars import Bars

MISSED_A_BAR = 1


def evaluate(
    queries: Annotated[
        Path,
        typer.Argument(
            exists=True, help="JSON lines with `query` and `relevant`, or a folder of captioned pictures."
        ),
    ],
    bar: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIGURE=NUMBER", help="Fail if a figure is less, as recall@10=0.8, or a time more."
        ),
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Artifact to measure without a running Sightline; may be repeated, as the next three.",
        ),
    ] = None,
    precision: Annotated[
        list[Precision] | None, typer.Option(help="With --model; SIGHTLINE_PRECISION if left out.")
    ] = None,
    quantization: Annotated[
        list[Quantization] | None, typer.Option(help="With --model; SIGHTLINE_QUANTIZATION if left out.")
    ] = None,
    ef: Annotated[
        list[int] | None,
        typer.Option(
            min=1, max=10_000, help="With --model: candidates kept; SIGHTLINE_SEARCH_EF if left out."
        ),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Compare with every vector, past the index; beside --ef, too.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="With --model: draw into this .svg or .png file.")] = None,
    filter: FilterJson = None,
    collection: Collection = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Measure how well searches find what they should; 1 if a bar is missed.

    By a running Sightline, or with --model by each combination of model, precision, quantization and ef.
    """
    from sightline_local.bars import Bars

    bars = Bars.parse(bar or [])
    if model:
        from sightline_local.commands.evaluate_models import Asked, measure_models

        if filter or collection:
            raise typer.BadParameter(
                "--filter and --collection are for a running Sightline, without --model."
            )
        asked = Asked(model, precision or [], quantization or [], ef or [], exact, plot)
        met = measure_models(queries, asked, bars, json)
    else:
        if precision or quantization or ef or plot:
            raise typer.BadParameter("--precision, --quantization, --ef and --plot go with --model.")
        options = {"filter": filter_tree(filter), "exact": exact, "collection": collection}
        met = _measure_running(queries, client(url), options, bars, json)
    if not met:
        raise typer.Exit(MISSED_A_BAR)


def _measure_running(
    queries: Path, api: ApiClient, options: Mapping[str, Any], bars: "Bars", json: bool
) -> bool:
    """Print what a running Sightline finds; whether it meets the bars."""
    from sightline_local.evaluation import DEPTH, Answer, FoundPicture, evaluate
    from sightline_local.judged_queries import read_judged_queries

    def search(text: str) -> Answer:
        found = api.post("/v1/search", {"query": [{"text": text}], "limit": DEPTH, **options})
        pictures = [FoundPicture(_names(hit["image"]), hit["relevance"]) for hit in found["hits"]]
        return Answer(pictures, found["took_ms"]["encode"], found["took_ms"]["index"])

    model = api.get("/v1/model")
    figures = evaluate(read_judged_queries(queries), search)
    missed = bars.missed(figures)
    if json:
        about = {name: model[name] for name in ("name", "space", "numerics")}
        print_json({"model": about, "exact": options["exact"], **asdict(figures), "below": missed})
    else:
        rows = [
            (name, _shown(value), _verdict(name, bars, missed)) for name, value in asdict(figures).items()
        ]
        print_table((f"{model['name']}, {model['numerics']}", "measured", "bar"), rows)
    return not missed


def _names(image: Any) -> frozenset[str]:
    return frozenset({image["id"], *(source["uri"] for source in image["sources"])})


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _verdict(name: str, bars: "Bars", missed: Mapping[str, float]) -> str:
    if name not in bars.by_figure:
        return ""
    return f"{bars.by_figure[name]:g}, missed" if name in missed else f"{bars.by_figure[name]:g}"
