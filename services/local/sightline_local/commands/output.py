"""How results look on a terminal, and as JSON."""

import json
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from rich.console import Console
from rich.table import Table


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def print_hits(response: Any) -> None:
    """A search's hits as a ranked table, its warnings on standard error.

    Hits that are explained have a column for each part of the query, with what it adds to the score.
    """
    hits = response["hits"]
    explained = max((len(hit["parts"] or ()) for hit in hits), default=0)
    rows = []
    for rank, hit in enumerate(hits, 1):
        image = hit["image"]
        added = [f"{part['contribution']:+.3f}" for part in hit["parts"] or ()]
        size = size_of(image)
        name = source_name(image["sources"])
        figures = (f"{hit['relevance']:.2f}", f"{hit['score']:.3f}")
        rows.append((str(rank), *figures, *added, name, size, image["id"]))
    parts = [f"part {number}" for number in range(1, explained + 1)]
    print_table(("rank", "relevance", "score", *parts, "picture", "size", "id"), rows)
    notes = [warning["detail"] for warning in response["warnings"]]
    if response["no_good_match"]:
        notes.append("Nothing stands out: what you look for may not be there.")
    for note in notes:
        Console(stderr=True).print(f"[yellow]{note}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table. Long cells go on in the next line: a path or an id that is cut is of no use."""
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def size_of(image: Any) -> str:
    """Width and height in pixels, as far as they are known."""
    return f"{image['width'] or '?'}x{image['height'] or '?'}"


def source_name(sources: Sequence[Any]) -> str:
    """Where a picture comes from, as a person would write it."""
    if not sources:
        return "(no source)"
    uri: str = sources[0]["uri"]
    return unquote(uri.removeprefix("file://").removeprefix("upload:"))
