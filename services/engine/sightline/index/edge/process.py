"""The index process: alone holds the embedded collections and answers over a private socket.

    python -m sightline.index.edge.process --folder DIR --socket PATH [--parent-pipe FD] [--patience S]

It ends, flushed and closed, on SIGTERM, when the other end of the parent pipe closes, and (on Linux)
when its parent dies. SIGINT is left to the parent, which shares the terminal.
"""

import argparse
import ctypes
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import structlog

from sightline.errors import SettingsError, Unavailable
from sightline.index.edge.collections import EdgeCollections
from sightline.index.edge.growth import IndexGrowth
from sightline.index.edge.listener import EdgeListener
from sightline.index.edge.service import EdgeService
from sightline.index.tuning import tuning_of
from sightline.logs import configure_logging
from sightline.process import PARENT_PIPE
from sightline.settings import read_settings

FLUSH_EVERY_S = 30.0
_PR_SET_PDEATHSIG = 1

_log = structlog.get_logger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; returns 0.

    Returns 2 when the folder or the socket cannot be used, and 1 when another start may well succeed.
    """
    options = _parser().parse_args(arguments)
    configure_logging(os.environ.get("SIGHTLINE_LOG_LEVEL", "info"), "index")
    os.umask(0o077)
    try:
        tuning = tuning_of(read_settings())
        with (
            _signals() as wake,
            closing(EdgeCollections(options.folder, tuning, options.patience)) as collections,
            _flushing(collections.flush),
            IndexGrowth(collections.shards, tuning),
            EdgeListener(options.socket, EdgeService(collections)) as listener,
        ):
            _serve(listener, wake, options.parent_pipe)
    except SettingsError as error:
        _log.error(str(error))
        return 2
    except Unavailable as error:
        _log.error(str(error))
        return 1
    return 0


def _serve(listener: EdgeListener, wake: socket.socket, parent_pipe: int | None) -> None:
    parent = os.getppid()
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        if parent_pipe is not None:
            selector.register(parent_pipe, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if wake in ready and _must_stop(wake.recv(64), parent):
                return
            if parent_pipe is not None and parent_pipe in ready and not os.read(parent_pipe, 64):
                return
            if listener in ready:
                listener.accept()


@contextmanager
def _flushing(flush: Callable[[], None]) -> Iterator[None]:
    """Flush every now and then, in a thread: connections are accepted meanwhile."""
    stopping = Event()

    def run() -> None:
        while not stopping.wait(FLUSH_EVERY_S):
            try:
                flush()
            except Exception:  # the engine raises bare Exception; the log keeps what is not flushed
                _log.exception("the index could not be flushed")

    thread = Thread(target=run, name="flush", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _must_stop(signals: bytes, parent: int) -> bool:
    # The kernel sends the death signal when the thread that started us ends, be the parent alive or not.
    return signal.SIGTERM in signals or (signal.SIGHUP in signals and os.getppid() != parent)


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Turn SIGTERM and SIGHUP into bytes to read, and have the kernel send SIGHUP for a dead parent."""
    wake, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGHUP)
    with wake, woken:
        try:
            yield wake
        finally:
            signal.set_wakeup_fd(-1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sightline.index.edge.process", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the collections are")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument(
        "--parent-pipe",
        type=int,
        default=os.environ.get(PARENT_PIPE),
        help=f"a descriptor that closes when the parent ends (default: {PARENT_PIPE})",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=0.0,
        help="how many seconds a process that has the folder may take to end (default: 0)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
