"""An index process of a test's own, and a client of it."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sightline.index.edge.client import EdgeClient


@contextmanager
def running_index(folder: Path | None = None, timeout_s: float = 300.0) -> Iterator[EdgeClient]:
    """An index in a folder with a short path, as sockets need one; without, in memory where that can be."""
    if folder is None:
        memory = Path("/dev/shm")
        with (
            tempfile.TemporaryDirectory(prefix="sl-", dir=memory if memory.is_dir() else None) as made,
            running_index(Path(made), timeout_s) as client,
        ):
            yield client
        return
    socket = folder / "index.sock"
    command = [sys.executable, "-m", "sightline.index.edge.process"]
    command += ["--folder", str(folder / "index"), "--socket", str(socket)]
    with (
        subprocess.Popen(command) as process,
        closing(EdgeClient(socket, timeout_s=timeout_s, patience_s=60)) as client,
    ):
        try:
            yield client
        finally:
            # Else a test that fails would wait for a process that nobody ends.
            process.terminate()
