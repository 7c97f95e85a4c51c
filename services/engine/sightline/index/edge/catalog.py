"""Which collections an embedded index has, and in which folders: `collections.json` and a lock."""

import fcntl
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from uuid import uuid4

import msgspec
import structlog
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from sightline.atomic_files import sync_names
from sightline.errors import SettingsError, SightlineError, Unavailable
from sightline.index.tuning import VectorLayout
from sightline.index.versions import first_version, is_version
from sightline.payload import FieldType
from sightline.settings import Precision, Quantization

CATALOG = "collections.json"
SHARDS = "shards"
LOCK = "lock"
CHILDREN_LOCK = "shards.lock"
CHILDREN_END_S = 30.0
"""The processes of shards end with the process that started them (Linux), or after their call."""

_log = structlog.get_logger(__name__)


class Entry(msgspec.Struct, frozen=True):
    """One version of a collection. Its folder keeps its name for life: renaming an open shard breaks its
    flush."""

    name: str
    folder: str
    space: str
    dimension: int
    fields: dict[str, FieldType]
    built: VectorLayout | None = None
    """How the vectors were arranged when HNSW was built last, or None if it never was."""
    quantization: Quantization | None = None
    """What the collection was made with; None: as the settings say."""
    precision: Precision | None = None
    """What the collection was made with; None: as the settings say."""


class _Catalog(msgspec.Struct, frozen=True):
    version: Literal[1]
    collections: list[Entry]
    aliases: dict[str, str] = {}
    """The version that each collection stands for."""


class EdgeCatalog:
    """The catalog of one data folder, held by one process at a time.

    A shard's folder is made before the catalog names it and removed after the catalog has dropped it,
    so a crash between the two leaves a folder that nothing names, which the next start removes.
    """

    def __init__(self, folder: Path, patience_s: float = 0.0) -> None:
        """Take the folder; raises SettingsError if another process has it or its catalog is unreadable.

        `patience_s` is how long that process may take to end. Raises Unavailable if it is gone and processes
        of its shards are not.
        """
        self._folder = folder
        (folder / SHARDS).mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder / LOCK, patience_s, _in_use(folder))
        try:
            self.children_lock = _locked(folder / CHILDREN_LOCK, CHILDREN_END_S, _not_ended(folder))
            """A descriptor for the processes of shards to inherit: as long as one lives, nobody starts."""
        except Unavailable:
            os.close(self._lock)
            raise
        try:
            read = _with_versions(_read(folder / CATALOG))
            self._entries, self._aliases = {entry.name: entry for entry in read.collections}, read.aliases
        except SettingsError:
            self.close()
            raise
        named = {entry.folder for entry in self._entries.values()}
        for leftover in (folder / SHARDS).iterdir():
            if leftover.name not in named:
                # What a process still writes to here goes at the next start.
                shutil.rmtree(leftover, ignore_errors=True)

    def entries(self) -> list[Entry]:
        """All versions, by name."""
        return sorted(self._entries.values(), key=lambda entry: entry.name)

    def aliases(self) -> dict[str, str]:
        """The version that each collection stands for."""
        return self._aliases

    def version(self, name: str) -> str:
        """The version that a name stands for; that of a version is itself."""
        return self._aliases.get(name, name)

    def new_folder(self, name: str) -> str:
        """A name for the folder of a new shard, unlike any before."""
        return f"{name}.{uuid4().hex}"

    def path(self, folder: str) -> Path:
        """Where a shard's folder is."""
        return self._folder / SHARDS / folder

    def put(self, entry: Entry, alias: str | None = None) -> None:
        """Name a version, or change its entry; `alias` is the collection that stands for it from now on."""
        aliases = self._aliases | ({alias: entry.name} if alias is not None else {})
        self._write(self._entries | {entry.name: entry}, aliases)

    def switch(self, name: str, version: str) -> None:
        """Have a collection stand for another version."""
        self._write(self._entries, self._aliases | {name: version})

    def forget(self, version: str) -> None:
        """Name a version no more, nor the collection that stands for it; its folder stays."""
        self._write(
            {one: kept for one, kept in self._entries.items() if one != version},
            {name: one for name, one in self._aliases.items() if one != version},
        )

    def close(self) -> None:
        """Give the folder free."""
        os.close(self.children_lock)
        os.close(self._lock)

    def _write(self, entries: dict[str, Entry], aliases: dict[str, str]) -> None:
        written = catalog_bytes(entries, aliases)
        draft = self._folder / f"{CATALOG}.new"
        with draft.open("wb") as stream:
            stream.write(written)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self._folder / CATALOG)
        self._entries, self._aliases = entries, aliases
        self._sync_name()

    def _sync_name(self) -> None:
        """Wait until the disk has the catalog under its name: shards that it dropped are removed next."""
        try:
            sync_names(self._folder)
        except OSError as error:
            # It is in force all the same. Who was told otherwise would remove a shard that it names.
            _log.error("catalog_not_synced", folder=str(self._folder), reason=str(error))


def catalog_bytes(entries: Mapping[str, Entry], aliases: Mapping[str, str]) -> bytes:
    """The content of a catalog: versions by name, and the version that each collection stands for."""
    catalog = _Catalog(1, list(entries.values()), dict(aliases))
    return msgspec.json.format(msgspec.json.encode(catalog), indent=2)


def _with_versions(read: _Catalog) -> _Catalog:
    """The catalog with a version for each collection that was made before there were any."""
    aliases = dict(read.aliases)
    entries = list(read.collections)
    for place, entry in enumerate(entries):
        if not is_version(entry.name):
            entries[place] = msgspec.structs.replace(entry, name=first_version(entry.name))
            aliases.setdefault(entry.name, entries[place].name)
    return _Catalog(1, entries, aliases)


def _read(path: Path) -> _Catalog:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Catalog)
    except FileNotFoundError:
        return _Catalog(1, [])
    except msgspec.DecodeError as error:
        raise SettingsError(
            f"The list of collections {path} cannot be read: {error}. Restore it from a backup, "
            f"or use another data folder."
        ) from error


def _in_use(folder: Path) -> SettingsError:
    return SettingsError(
        f"Another process uses the index folder {folder}. Stop it, or use another data folder."
    )


def _not_ended(folder: Path) -> Unavailable:
    return Unavailable(
        f"The index in {folder}",
        f"processes that it left behind when it was killed have not ended within {CHILDREN_END_S:.0f} s. "
        f"Start it again when they have.",
    )


def _locked(path: Path, patience_s: float, otherwise: SightlineError) -> int:
    """The descriptor of a lock that is held; raises `otherwise` if another process has it for too long."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    attempts = Retrying(
        retry=retry_if_exception_type(BlockingIOError),
        stop=stop_after_delay(patience_s),
        wait=wait_fixed(0.05),
        reraise=True,
    )
    try:
        attempts(fcntl.flock, lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise otherwise from error
    return lock
