"""An index process of its own on a folder, for measuring the embedded index."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from sightline.index.edge.client import EdgeClient
from sightline.process import start_child

_START_S = 30.0


@contextmanager
def index_process(
    folder: Path, socket: Path, settings: Mapping[str, str]
) -> Iterator[tuple[psutil.Process, EdgeClient]]:
    """An index process that builds HNSW only when asked, and its client; flushed and ended afterwards.

    `settings` are environment variables beside those of this process. Calls raise Unavailable if it cannot
    be started.
    """
    environment = {
        **os.environ,
        "SIGHTLINE_INDEX_REBUILD_POINTS": str(sys.maxsize),
        "SIGHTLINE_LOG_LEVEL": "warning",
        **settings,
    }
    command = [sys.executable, "-m", "sightline.index.edge.process"]
    pipe, held = os.pipe()
    child: subprocess.Popen[bytes] | None = None
    try:
        child = start_child([*command, "--folder", str(folder), "--socket", str(socket)], environment, pipe)
        with closing(EdgeClient(socket, patience_s=_START_S)) as client:
            yield psutil.Process(child.pid), client
    finally:
        os.close(held)  # it ends, flushed, when this pipe is closed
        if child is not None:
            child.wait()
        os.close(pipe)
