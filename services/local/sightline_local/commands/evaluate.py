"""`sightline eval`."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any

import typer

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

BELOW_A_BAR = 1


def evaluate(
    queries: Annotated[
        Path,
        typer.Argument(
            exists=True, help="JSON lines with `query` and `relevant`, or a folder of captioned pictures."
        ),
    ],
    bar: Annotated[
        list[str] | None,
        typer.Option(metavar="FIGURE=LEAST", help="Fail below this, as recall_at_10=0.8; may be repeated."),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Compare with every vector, past the index.")
    ] = False,
    filter: FilterJson = None,
    collection: Collection = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Measure how well searches find what they should; 1 if a figure is below its bar."""
    from sightline_local.evaluation import DEPTH, Evaluation, evaluate
    from sightline_local.judged_queries import read_judged_queries

    bars = dict(_bar(one) for one in bar or [])
    known = [field.name for field in fields(Evaluation)]
    if unknown := sorted(bars.keys() - set(known)):
        raise typer.BadParameter(f"there is no figure {', '.join(unknown)}: {', '.join(known)}")
    api = client(url)
    tree = filter_tree(filter)

    def search(text: str) -> Any:
        part = {"text": text}
        asked = {"query": [part], "limit": DEPTH, "filter": tree, "exact": exact, "collection": collection}
        return api.post("/v1/search", asked)

    model = api.get("/v1/model")
    figures = asdict(evaluate(read_judged_queries(queries), search))
    below = {name: least for name, least in bars.items() if (figures[name] or 0.0) < least}
    if json:
        about = {name: model[name] for name in ("name", "space", "numerics")}
        print_json({"model": about, "exact": exact, **figures, "below": below})
    else:
        rows = [(name, _shown(value), _verdict(name, bars, below)) for name, value in figures.items()]
        print_table((f"{model['name']}, {model['numerics']}", "measured", "bar"), rows)
    if below:
        raise typer.Exit(BELOW_A_BAR)


def _bar(text: str) -> tuple[str, float]:
    name, _, least = text.partition("=")
    try:
        return name.strip().replace("@", "_at_"), float(least)
    except ValueError as error:
        raise typer.BadParameter(f"a bar is FIGURE=LEAST, as recall_at_10=0.8, not '{text}'") from error


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _verdict(name: str, bars: dict[str, float], below: dict[str, float]) -> str:
    if name not in bars:
        return ""
    return f"{bars[name]:g}, missed" if name in below else f"{bars[name]:g}"
