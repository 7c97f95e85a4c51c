"""`sightline facets`."""

from typing import Annotated

import typer

from sightline_local.commands.options import DEFAULT_URL, AsJson, Collection, FilterJson, Url, client
from sightline_local.commands.output import print_json, print_table


def facets(
    field: Annotated[str, typer.Argument(help="An indexed field: tags, format, camera, metadata.sku, …")],
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many values.")] = 20,
    filter: FilterJson = None,
    collection: Collection = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Count the values that pictures have in a field, the commonest first."""
    parameters = {"field": field, "limit": limit, "filter": filter, "collection": collection}
    found = client(url).get("/v1/facets", parameters)
    if json:
        print_json(found)
        return
    print_table((field, "pictures"), [(str(one["value"]), f"{one['count']:,}") for one in found["values"]])
