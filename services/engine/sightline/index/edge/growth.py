"""Takes points into HNSW in the background, on a copy of the shard that then takes the shard's place.

The engine answers nobody while it builds, so a process of its own builds on a copy, at the lowest
priority. Changes made meanwhile are in a journal; a process for the finished copy is brought up to date
from it and takes over, in the catalog and for all calls, while writers wait. A kill at any moment leaves
a catalog that names a complete shard, and folders that nothing names, which the next start removes.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import structlog

from sightline.index.edge.catalog import Entry
from sightline.index.edge.journal import ChangeJournal
from sightline.index.edge.open_shards import IndexClosed, OpenShard, OpenShards
from sightline.index.edge.shard import Shard, ShardClosed, ShardFailed, ShardRefused
from sightline.index.edge.shard_child import ShardChild
from sightline.index.edge.shard_folder import copy_folder, folder_bytes, sync_folder
from sightline.index.tuning import Tuning, VectorLayout

LOOK_EVERY_S = 5.0
RETRY_AFTER_S = 60.0
_SPARE_BYTES = 64 << 20
_SHORT_JOURNAL_BYTES = 1 << 20
_MAX_ROUNDS = 50
"""Writers faster than the replay are made to wait in the end."""

_log = structlog.get_logger(__name__)


class BuildFailed(Exception):
    """HNSW was not built; `str()` says why. The shard serves on as it was."""


@dataclass
class _Look:
    """What was seen of a shard last."""

    changes: int = -1
    retry_at: float = 0.0


class IndexGrowth:
    """Builds one collection at a time, in a thread, from the beginning to the end of its `with` block."""

    def __init__(self, shards: OpenShards, tuning: Tuning) -> None:
        """Look after these shards."""
        self._shards = shards
        self._tuning = tuning
        self._looks: dict[str, _Look] = {}
        self._stopping = threading.Event()
        self._builder: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="index-growth", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._starting:
            self._stopping.set()
            if self._builder is not None:
                self._builder.kill()
        self._shards.wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                for held in self._shards.all():
                    self._look_after(held)
            except IndexClosed:
                return
            self._shards.wake.wait(LOOK_EVERY_S)
            self._shards.wake.clear()

    def _look_after(self, held: OpenShard) -> None:
        look = self._looks.setdefault(held.entry.folder, _Look())
        try:
            layout = self._due(held, look)
            if layout is not None and not self._stopping.is_set():
                self._build(held, layout)
        except IndexClosed:
            raise
        except ShardClosed:
            pass  # dropped meanwhile
        except (BuildFailed, ShardFailed, OSError) as error:
            self._put_off(look)
            if not self._stopping.is_set():
                _log.warning("index_not_built", collection=held.entry.name, reason=str(error))
        except Exception:
            # The engine raises bare Exception, on a full disk for one; the other collections grow on.
            self._put_off(look)
            _log.exception("index_not_built", collection=held.entry.name)

    def _put_off(self, look: _Look) -> None:
        look.retry_at = time.monotonic() + RETRY_AFTER_S
        look.changes = -1

    def _due(self, held: OpenShard, look: _Look) -> VectorLayout | None:
        """The layout to build now, or None."""
        asked, held.build_asked = held.build_asked, False
        changes = held.changes
        if not asked and (changes == look.changes or time.monotonic() < look.retry_at):
            return None
        look.changes = changes
        size, built = held.shard.size(), held.entry.built
        layout = self._tuning.of(held.entry.quantization).layout(size.points, built)
        outside = size.points > size.indexed
        due = self._tuning.rebuild_due(size.points, size.indexed) or (asked and outside)
        due = due or self._tuning.reclaim_due(size.points, held.deleted)
        return layout if due or (built is not None and layout != built) else None

    def _build(self, held: OpenShard, layout: VectorLayout) -> None:
        started = time.monotonic()
        successor = self._shards.successor(held.entry, layout)
        folder = self._shards.path(successor)
        child: ShardChild | None = None
        replaced: Shard | None = None
        old_folder = self._shards.path(held.entry)
        journal = ChangeJournal(folder.parent)
        try:
            self._copy(held, folder, journal)
            self._optimize(folder, successor)
            child = self._shards.child(successor)
            child.await_loaded()
            _catch_up(child, journal)
            child.flush()
            sync_folder(folder)
            _catch_up(child, journal)
            replaced = self._take_over(held, successor, child, journal)
        finally:
            with held.writing:
                held.journal = None
            journal.close()
            if replaced is None:
                if child is not None:
                    child.discard()
                shutil.rmtree(folder, ignore_errors=True)
        _retire(replaced)
        shutil.rmtree(old_folder)
        _log.info("index_built", collection=held.entry.name, seconds=round(time.monotonic() - started, 1))

    def _copy(self, held: OpenShard, folder: Path, journal: ChangeJournal) -> None:
        """Copy the shard as it is at one moment; the journal has every change after it."""
        source = self._shards.path(held.entry)
        needed = 2 * folder_bytes(source) + _SPARE_BYTES
        free = shutil.disk_usage(source).free
        if free < needed:
            raise BuildFailed(f"it takes {needed >> 20} MiB of disk, and {free >> 20} MiB are free")
        sync_folder(source)
        with held.writing:
            held.shard.flush()
            copy_folder(source, folder)
            held.journal = journal

    def _optimize(self, folder: Path, entry: Entry) -> None:
        assert entry.built is not None
        command = [sys.executable, "-m", "sightline.index.edge.shard_build", "--folder", str(folder)]
        command += ["--dimension", str(entry.dimension), "--quantization", entry.built.quantization]
        command += ["--full-scan-kb", str(self._tuning.full_scan_kb)]
        command += ["--parent", str(os.getpid()), *(["--on-disk"] if entry.built.on_disk else [])]
        with self._starting:
            if self._stopping.is_set():
                raise BuildFailed("the index is stopping")
            self._builder = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        status = self._builder.wait()
        self._builder = None
        if status != 0:
            raise BuildFailed(f"its process ended with status {status}")

    def _take_over(
        self, held: OpenShard, successor: Entry, child: ShardChild, journal: ChangeJournal
    ) -> Shard:
        with held.writing:
            _replay(child, journal)
            if journal.broken:
                raise BuildFailed("the changes made meanwhile could not be written down")
            # Fields may have been added meanwhile.
            entry = msgspec.structs.replace(held.entry, folder=successor.folder, built=successor.built)
            replaced = held.shard
            if not self._shards.replace(held, entry, child):
                raise ShardClosed
            return replaced


def _catch_up(child: ShardChild, journal: ChangeJournal) -> None:
    for _ in range(_MAX_ROUNDS):
        _replay(child, journal)
        if journal.unread <= _SHORT_JOURNAL_BYTES:
            return


def _replay(child: ShardChild, journal: ChangeJournal) -> None:
    for changes in journal.read():
        try:
            child.apply(changes)
        except ShardRefused as error:
            # Then it was refused the first time too, after as many of the changes.
            _log.info("change_refused_again", reason=str(error))


def _retire(shard: Shard) -> None:
    """Close a shard whose folder is not needed any more."""
    if isinstance(shard, ShardChild):
        shard.discard()
    else:
        shard.close()
