"""The private socket of an index process, with a thread for each connection."""

import contextlib
import socket
import stat
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from sightline.errors import SettingsError
from sightline.index.edge.frames import MAX_FRAME_BYTES, receive_frame, send_frame
from sightline.index.edge.open_shards import IndexClosed
from sightline.index.edge.service import EdgeService

MAX_CONNECTIONS = 128

_log = structlog.get_logger(__name__)


class EdgeListener:
    """Listens from its making to the end of its `with` block; nobody but this user can connect."""

    def __init__(self, path: Path, service: EdgeService) -> None:
        """Bind the socket, in place of one that a killed process left.

        Raises SettingsError if the path is too long, in use, or not a socket.
        """
        self._path = path
        self._service = service
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove_stale(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(str(path))
            path.chmod(0o600)
            self._socket.listen(MAX_CONNECTIONS)
        except OSError as error:
            self._socket.close()
            raise SettingsError(f"The index cannot listen at {path}: {error}. Use another path.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def fileno(self) -> int:
        """The descriptor that is readable when somebody wants to connect."""
        return self._socket.fileno()

    def accept(self) -> None:
        """Take one connection and serve it in a thread until it closes; refuse it if there are too many."""
        connection, _ = self._socket.accept()
        if not self._free.acquire(blocking=False):
            _log.warning("a connection was refused: too many", limit=MAX_CONNECTIONS)
            connection.close()
            return
        threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(IndexClosed):
                while (body := receive_frame(connection, limit=MAX_FRAME_BYTES)) is not None:
                    send_frame(connection, self._service.answer(body))
        except OSError as error:
            _log.info("a connection broke", reason=str(error))
        finally:
            self._free.release()


def _remove_stale(path: Path) -> None:
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise SettingsError(f"The index cannot listen at {path}: there is a file that is not a socket.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise SettingsError(f"Another index process answers at {path}. Stop it, or use another path.")
