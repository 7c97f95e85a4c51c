"""Children end with the process that supervises them, even after a kill -9 of it.

The supervisor gives every child the reading end of a pipe that it alone can write to: when the
supervisor is gone the pipe closes. This needs no signal and works on every POSIX system.
"""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from threading import Thread

PARENT_PIPE = "SIGHTLINE_PARENT_PIPE"
"""Environment variable with the number of the inherited descriptor; internal to the supervisor."""


def start_child(command: Sequence[str], environment: Mapping[str, str], pipe: int) -> subprocess.Popen[bytes]:
    """Start a child that inherits `pipe`, the reading end of the supervisor's pipe."""
    return subprocess.Popen(
        command,
        env={**environment, PARENT_PIPE: str(pipe)},
        pass_fds=[pipe],
        stdin=subprocess.DEVNULL,
        stdout=2,  # Standard output is the supervisor's own: its user may be reading JSON from it.
        # A group of its own: ctrl-C goes to the supervisor, which stops its children in order.
        process_group=0,
    )


def end_with_parent(on_death: Callable[[], None] | None = None) -> None:
    """End this process at once when its supervisor dies; does nothing without a supervisor.

    Everything here survives a kill -9, so nothing is finished first unless `on_death` does it.
    """
    descriptor = os.environ.get(PARENT_PIPE)
    if descriptor is None:
        return

    def wait() -> None:
        while os.read(int(descriptor), 1):
            pass
        if on_death is not None:
            on_death()
        os._exit(1)

    Thread(target=wait, name="parent-watch", daemon=True).start()
