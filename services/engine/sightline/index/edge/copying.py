"""A copy of an index that goes on working: from it an index process starts as from the folder itself."""

from pathlib import Path

from sightline.atomic_files import unavailable_when_failing
from sightline.index.edge.catalog import CATALOG, SHARDS, Entry, catalog_bytes
from sightline.index.edge.open_shards import OpenShard, OpenShards
from sightline.index.edge.shard import ShardClosed
from sightline.index.edge.shard_folder import copy_folder, sync_folder

_SERVICE = "The folder of the copy"


def copy_index(shards: OpenShards, target: Path) -> None:
    """Copy an index to `target`, which is made. Collections dropped meanwhile are left out.

    Writers to a collection wait while it is copied. The list of collections comes last.
    """
    with unavailable_when_failing(_SERVICE):
        (target / SHARDS).mkdir(parents=True)
    copied: dict[str, Entry] = {}
    while True:
        # Before the shards: a version that a collection was switched to meanwhile is copied too.
        aliases = shards.aliases()
        missing = [held for held in shards.all() if held.entry.name not in copied]
        if not missing:
            break
        for held in missing:
            if entry := _copied(shards, held, target):
                copied[entry.name] = entry
    with unavailable_when_failing(_SERVICE):
        named = {name: version for name, version in aliases.items() if version in copied}
        (target / CATALOG).write_bytes(catalog_bytes(copied, named))
        sync_folder(target)


def _copied(shards: OpenShards, held: OpenShard, target: Path) -> Entry | None:
    """Copy one shard as it is at one moment; its entry then, None if it was dropped meanwhile."""
    with unavailable_when_failing(_SERVICE):
        # The engine answers nobody while it flushes, so the disk takes most of it first.
        sync_folder(shards.path(held.entry))
        with held.writing:
            entry = held.entry
            try:
                held.shard.flush()
            except ShardClosed:
                return None
            copy_folder(shards.path(entry), target / SHARDS / entry.folder)
    return entry
