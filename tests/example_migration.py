"""A migration as Redis records it, with what a test changes of it."""

from datetime import UTC, datetime
from typing import Any

from sightline.queue.migration_records import Migration, MigrationState, new_id


def example_migration(**changes: Any) -> Migration:
    """One of the collection `images` that is being built."""
    fields: dict[str, Any] = {
        "id": new_id(),
        "collection": "images",
        "old": "images.1",
        "new": "images.2",
        "model": "second",
        "old_space": "a@0123456789abcdef",
        "space": "b@0123456789abcdef",
        "dimension": 4,
        "precision": None,
        "quantization": None,
        "old_precision": None,
        "state": MigrationState.BUILDING,
        "created_at": datetime.now(UTC),
    }
    return Migration(**(fields | changes))
