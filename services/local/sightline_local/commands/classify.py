"""`sightline classify`."""

import base64
from pathlib import Path
from typing import Annotated

import typer

from sightline_local.commands.options import DEFAULT_URL, AsJson, Collection, Url, client
from sightline_local.commands.output import print_json, print_table


def classify(
    picture: Annotated[str, typer.Argument(help="A picture's file, or the id of a stored one.")],
    labels: Annotated[list[str], typer.Argument(help="What it may show.")],
    template: Annotated[str, typer.Option(help="What labels are put into, as 'a photo of {}'.")] = "{}",
    collection: Collection = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Say which of some labels a picture shows."""
    file = Path(picture)
    shown = (
        {"image_base64": base64.b64encode(file.read_bytes()).decode()}
        if file.is_file()
        else {"image_id": picture}
    )
    found = client(url).post(
        "/v1/classify", {**shown, "labels": labels, "template": template, "collection": collection}
    )
    if json:
        print_json(found)
        return
    rows = [(one["label"], f"{one['probability']:.3f}", f"{one['cosine']:.3f}") for one in found["labels"]]
    print_table(("label", "probability", "cosine"), rows)
