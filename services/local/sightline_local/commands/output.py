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
    """A search's hits as a ranked table, its warnings on standard error."""
    rows = []
    for rank, hit in enumerate(response["hits"], 1):
        image = hit["image"]
        size = f"{image['width']}x{image['height']}"
        rows.append((str(rank), f"{hit['score']:.3f}", source_name(image["sources"]), size, image["id"]))
    print_table(("rank", "score", "picture", "size", "id"), rows)
    for warning in response["warnings"]:
        Console(stderr=True).print(f"[yellow]{warning['detail']}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table. Long cells go on in the next line: a path or an id that is cut is of no use."""
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def source_name(sources: Sequence[Any]) -> str:
    """Where a picture comes from, as a person would write it."""
    if not sources:
        return "(no source)"
    uri: str = sources[0]["uri"]
    return unquote(uri.removeprefix("file://").removeprefix("upload:"))
