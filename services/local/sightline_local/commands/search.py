"""`sightline search` and `sightline similar`."""

from pathlib import Path
from typing import Annotated

import typer

from sightline_local.commands.options import (
    DEFAULT_URL,
    AsJson,
    Collection,
    FilterJson,
    Limit,
    Url,
    client,
)
from sightline_local.commands.output import print_hits, print_json


def search(
    text: Annotated[
        str | None, typer.Argument(help='What to look for; -word and -"a phrase" exclude.')
    ] = None,
    image: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Search by a picture.")
    ] = None,
    limit: Limit = 10,
    filter: FilterJson = None,
    collection: Collection = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Find pictures by words, by a picture, or by both."""
    if text is None and image is None:
        raise typer.BadParameter("give a text, or a picture with --image")
    api = client(url)
    if image is None:
        parameters = {"q": text, "limit": limit, "filter": filter, "collection": collection}
        response = api.get("/v1/search", parameters)
    else:
        path = "/v1/search/image" + (f"?collection={collection}" if collection else "")
        response = api.upload_one(path, image, {"q": text, "limit": limit, "filter": filter})
    print_json(response) if json else print_hits(response)


def similar(
    image_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a stored picture.")],
    limit: Limit = 10,
    filter: FilterJson = None,
    collection: Collection = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Find pictures like a stored one."""
    parameters = {"limit": limit, "filter": filter, "collection": collection}
    response = client(url).get(f"/v1/images/{image_id}/similar", parameters)
    print_json(response) if json else print_hits(response)
