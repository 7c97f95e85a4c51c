"""`sightline search` and `sightline similar`."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError

from sightline_local.commands.options import (
    DEFAULT_URL,
    AsJson,
    Collection,
    FilterJson,
    Limit,
    Url,
    client,
    filter_tree,
)
from sightline_local.commands.output import print_hits, print_json

_UNLIKE_WEIGHT = -0.5

MinRelevance = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Leave out hits that are less sure; 0.5 keeps what stands out."),
]
Explain = Annotated[bool, typer.Option("--explain", help="Show what each part of the query has in each hit.")]


def search(
    text: Annotated[
        str | None, typer.Argument(help='What to look for; -word and -"a phrase" exclude.')
    ] = None,
    image: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Search by a picture.")
    ] = None,
    like: Annotated[list[str] | None, typer.Option(metavar="ID", help="Like a stored picture.")] = None,
    unlike: Annotated[list[str] | None, typer.Option(metavar="ID", help="Unlike a stored picture.")] = None,
    box: Annotated[
        str | None,
        typer.Option(
            metavar="L,T,R,B",
            help="Only this part of the picture, or the first --like: four numbers from 0 to 1.",
        ),
    ] = None,
    lang: Annotated[
        str | None, typer.Option(metavar="TAG", help="Language of the text, as de; else it is detected.")
    ] = None,
    limit: Limit = 10,
    min_relevance: MinRelevance = None,
    any_of: Annotated[
        bool, typer.Option("--any", help="Like any of the parts, not like all of them together.")
    ] = False,
    diversity: Annotated[
        float, typer.Option(min=0, max=1, help="How much hits that are like better ones stand behind.")
    ] = 0.0,
    collapse: Annotated[
        Literal["none", "perceptual", "semantic"],
        typer.Option(help="Show the best alone of hits that look (perceptual) or show (semantic) the same."),
    ] = "none",
    filter: FilterJson = None,
    explain: Explain = False,
    collection: Collection = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Find pictures by words, by pictures, or by both."""
    pictures = _pictures(image, like or [], unlike or [], _sides(box))
    parts = [*_texts(text, lang, beside_others=bool(pictures)), *pictures]
    if not parts:
        raise typer.BadParameter("give a text, a picture with --image, or a stored one with --like")
    body: dict[str, Any] = {
        "query": parts,
        "limit": limit,
        "min_relevance": min_relevance,
        "strategy": "best_score" if any_of else "sum",
        "diversity": diversity,
        "collapse": collapse,
        "explain": explain,
        "filter": filter_tree(filter),
        "collection": collection,
    }
    response = client(url).post("/v1/search", body)
    print_json(response) if json else print_hits(response)


def similar(
    image_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a stored picture.")],
    limit: Limit = 10,
    min_relevance: MinRelevance = None,
    filter: FilterJson = None,
    collection: Collection = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Find pictures like a stored one."""
    parameters = {
        "limit": limit,
        "min_relevance": min_relevance,
        "filter": filter,
        "collection": collection,
    }
    response = client(url).get(f"/v1/images/{image_id}/similar", parameters)
    print_json(response) if json else print_hits(response)


def _texts(text: str | None, lang: str | None, *, beside_others: bool) -> list[dict[str, Any]]:
    if text is None:
        return []
    from sightline_api.search.grammar import (
        parse_query,  # not needed to search by pictures, and slow to import
    )

    try:
        return [part.model_dump() for part in parse_query(text, beside_others=beside_others, lang=lang)]
    except ValidationError as error:
        fault = error.errors()[0]
        raise typer.BadParameter(f"the {fault['loc'][-1]} cannot be used: {fault['msg']}.") from error


def _pictures(
    image: Path | None, like: Sequence[str], unlike: Sequence[str], box: Sequence[float] | None
) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if image is not None:
        parts.append({"image_base64": base64.b64encode(image.read_bytes()).decode()})
    parts += [{"image_id": image_id} for image_id in like]
    if box is not None:
        if not parts:
            raise typer.BadParameter("--box is a part of a picture: give one with --image or --like")
        parts[0]["box"] = list(box)
    return parts + [{"image_id": image_id, "weight": _UNLIKE_WEIGHT} for image_id in unlike]


def _sides(box: str | None) -> list[float] | None:
    if box is None:
        return None
    try:
        return [float(side) for side in box.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"--box takes four numbers with commas between, not '{box}'") from error
