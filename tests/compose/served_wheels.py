"""The wheels that pip on this machine finds in folders, for builds that see no folder of it."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_PORT = 18951
"""The same each time, or the engine would build everything anew."""


@contextmanager
def served_wheels() -> Iterator[str]:
    """The pip options for all of these folders, which are served from this machine meanwhile."""
    with ExitStack() as stack:
        yield " ".join(_served(stack, *one) for one in enumerate(_pip_folders(), _PORT))


def _pip_folders() -> list[Path]:
    """Folders that pip on this machine finds wheels in, which a build cannot see."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    # Both of pip's own files and of its environment, as `global.find-links='/wheels'`.
    found = {
        Path(folder)
        for line in listed.stdout.splitlines()
        if line.partition("=")[0].endswith(".find-links")
        for folder in line.partition("=")[2].strip("'").split()
    }
    return sorted(folder for folder in found if folder.is_dir())


def _served(stack: ExitStack, port: int, folder: Path) -> str:
    """The pip option for a folder that is served to builds for as long as `stack` is open."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(folder)))
    stack.callback(server.server_close)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.shutdown)
    return f"--find-links http://127.0.0.1:{port}/"
