"""Changes in the order they were made, in a file without a name that ends with its process."""

import struct
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock

import msgspec

from sightline.index.edge.shard import Change

_LENGTH = struct.Struct("<I")


class ChangeJournal:
    """Written by whoever changes a shard, read by whoever brings its successor up to date."""

    def __init__(self, folder: Path) -> None:
        """Begin an empty journal on the file system of `folder`."""
        # Closed by `close`, after whoever reads and whoever writes.
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        self._lock = Lock()
        self.broken = False
        self._read_to = 0
        self._written_to = 0
        self._decoder = msgspec.msgpack.Decoder(list[Change])

    @property
    def unread(self) -> int:
        """Bytes written and not read yet."""
        return self._written_to - self._read_to

    def write(self, changes: Sequence[Change]) -> None:
        """Note changes that have been made. When the disk is full, the journal is `broken` from then on."""
        body = msgspec.msgpack.encode(list(changes))
        with self._lock:
            try:
                self._file.seek(self._written_to)
                written = self._file.write(_LENGTH.pack(len(body)) + body)
                if written < _LENGTH.size + len(body):
                    self.broken = True
                    return
                self._written_to = self._file.tell()
            except OSError:
                self.broken = True

    def read(self) -> Iterator[list[Change]]:
        """The changes that were written and have not been read, until there are no more."""
        while self.unread:
            with self._lock:
                self._file.seek(self._read_to)
                (length,) = _LENGTH.unpack(self._file.read(_LENGTH.size))
                body = self._file.read(length)
                self._read_to = self._file.tell()
            yield self._decoder.decode(body)

    def close(self) -> None:
        """Forget everything."""
        self._file.close()
