"""A copy of an index that goes on working: from it an index process starts as from the folder itself."""

import shutil
from collections.abc import Mapping
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
    # By shard: a collection of the same name may have been made anew.
    copied: dict[OpenShard, Entry] = {}
    while True:
        there, aliases = shards.all_named()
        missing = [held for held in there if held not in copied]
        if not missing:
            break
        for held in missing:
            if entry := _copied(shards, held, target):
                copied[held] = entry
    with unavailable_when_failing(_SERVICE):
        kept = {copied[held].name: copied[held] for held in there}
        _remove_others(target / SHARDS, kept)
        (target / CATALOG).write_bytes(catalog_bytes(kept, aliases))
        sync_folder(target)


def _remove_others(folder: Path, kept: Mapping[str, Entry]) -> None:
    """Remove the shards of versions that were dropped after they had been copied."""
    named = {entry.folder for entry in kept.values()}
    for path in folder.iterdir():
        if path.name not in named:
            shutil.rmtree(path)


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
