"""A manifest's rows, whatever its format."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sightline_embedder.errors import SourceError

_COLUMNS_SHOWN = 50
_NAME_CHARACTERS = 100

MAX_ROW_BYTES = 1 << 20
"""Of a row as text. A picture may have a sixteenth of it as metadata."""


@dataclass(frozen=True)
class Row:
    """One row. `number` counts from 1; reading goes on after `position`.

    `fault` is set where the row itself cannot be read, and completes "Row 7 …".
    """

    number: int
    position: str
    values: Mapping[str, Any] = field(default_factory=dict)
    fault: str | None = None


def damaged(detail: str) -> SourceError:
    """What fails a job whose manifest cannot be read, or not further."""
    return SourceError("manifest_damaged", detail)


def column_missing(wanted: str, columns: Iterable[str]) -> SourceError:
    """What fails a job whose manifest has no such column."""
    names = list(columns)
    listed = ", ".join(shown(name) for name in names[:_COLUMNS_SHOWN])
    more = f" and {len(names) - _COLUMNS_SHOWN} more" if len(names) > _COLUMNS_SHOWN else ""
    return SourceError(
        "manifest_column_missing",
        f"There is no column {shown(wanted)}. The columns are {listed or 'none'}{more}; name the one that "
        f"holds the pictures in image_column.",
    )


def require_distinct(columns: Iterable[str]) -> None:
    """Raise SourceError where two columns share a name, as one would hide the other."""
    seen: set[str] = set()
    for name in columns:
        if name in seen:
            raise damaged(f"There are two columns {shown(name)}. Rename one of them.")
        seen.add(name)


def shown(text: str, characters: int = _NAME_CHARACTERS) -> str:
    """Text of a manifest as a sentence may quote it."""
    # Half of a surrogate pair would make the sentence impossible to record.
    return f"'{text[:characters].encode(errors='replace').decode()}'"
