"""How long a filter may be for a search to be kept: 64 of the longest would fill a gigabyte."""

from sightline.index.filters import Filter, filter_json

_MAX_BYTES = 4_096


def is_long(filter: Filter | None) -> bool:
    """Whether a filter is too long to be kept."""
    return filter is not None and len(filter_json(filter)) > _MAX_BYTES
