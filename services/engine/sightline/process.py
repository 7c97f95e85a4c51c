"""Children end with the process that supervises them, even after a kill -9 of it.

The supervisor gives every child the reading end of a pipe that it alone can write to: when the
supervisor is gone the pipe closes. This needs no signal and works on every POSIX system.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from threading import Thread

PARENT_PIPE = "SIGHTLINE_PARENT_PIPE"
"""Environment variable with the number of the inherited descriptor; internal to the supervisor."""
_PR_SET_PDEATHSIG = 1


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


def be_killed_with(parent: int) -> bool:
    """Have the kernel kill this process when its parent dies (Linux); False if `parent` is gone already.

    For a process whose calls hold the GIL for long, where no thread of its own could watch. The kernel goes
    by the thread that started the process, which must last as long as the parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent
