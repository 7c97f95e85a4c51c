"""The parent's side of one decode process: start it, hand it a picture, end it."""

import os
import signal
import subprocess
import sys
from multiprocessing import Pipe

from sightline.decoder.process import READY, unpack
from sightline.decoder.task import Decoded, Wanted
from sightline.errors import BadPicture, FailureReason, Unavailable

SERVICE = "The picture decoder"

_BOOT = "from sightline.decoder.process import main; main()"
_START_TIMEOUT_S = 60.0
_MAX_ANSWER_BYTES = 256 << 20
_GRACE_S = 1.0
"""A process that closed its connection is ending by itself, with a code worth knowing."""


class DecodeWorker:
    """A decode process that was started, perhaps not yet ready. Not to be used from two threads,
    except for `kill`.

    A new interpreter, neither a fork (the parent has threads) nor multiprocessing's spawn (which would
    import the parent's main module, the web framework with it).
    """

    def __init__(self, assignment: bytes) -> None:
        """Start a process and send it the pickled Assignment; raises Unavailable."""
        ours, theirs = Pipe()
        self._connection = ours
        self._is_ready = False
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _BOOT, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
                    process_group=0,
                )
        except OSError as error:
            ours.close()
            raise Unavailable(SERVICE, f"its process cannot be started: {error}.") from error
        self._assignment = assignment

    def wait_ready(self) -> None:
        """Wait until the process has imported what it needs; raises Unavailable if it does not get there."""
        if self._is_ready:
            return
        try:
            self._connection.send_bytes(self._assignment)
            self._is_ready = (
                self._connection.poll(_START_TIMEOUT_S) and self._connection.recv_bytes() == READY
            )
        except (EOFError, OSError) as error:
            raise Unavailable(
                SERVICE, f"its process ended with {self._reap(_GRACE_S)} before it was ready."
            ) from error
        if not self._is_ready:
            self.end()
            raise Unavailable(SERVICE, f"its process was not ready after {_START_TIMEOUT_S:g} s.")

    def send(self, data: bytes, wanted: Wanted) -> None:
        """Hand over a picture; raises OSError if the process has ended since."""
        self._connection.send(wanted)
        self._connection.send_bytes(data)

    def receive(self, timeout_s: float) -> Decoded:
        """What became of the picture sent last; raises BadPicture.

        After DECODE_TIMEOUT, and after INTERNAL where `has_ended` says so, the process is gone.
        """
        if not self._connection.poll(timeout_s):
            self.end()
            raise BadPicture(
                FailureReason.DECODE_TIMEOUT,
                f"Decoding was stopped because it took longer than {timeout_s:g} s.",
            )
        try:
            return unpack(self._connection.recv_bytes(_MAX_ANSWER_BYTES))
        except (EOFError, OSError) as error:
            raise BadPicture(
                FailureReason.INTERNAL, f"The decoder crashed on this picture with {self._reap(_GRACE_S)}."
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            self.end()
            raise BadPicture(FailureReason.INTERNAL, "The decoder gave a nonsensical answer.") from error

    @property
    def has_ended(self) -> bool:
        """Whether the process was ended, or found to have ended."""
        return self._connection.closed

    def kill(self) -> None:
        """End the process without waiting; whoever waits for it sees it crash."""
        self._process.kill()

    def end(self) -> None:
        """End the process at once, if it has not ended by itself."""
        self._reap(grace_s=0)

    def _reap(self, grace_s: float) -> str:
        """Wait for the process, killing it after `grace_s`, and say how it ended."""
        self._connection.close()
        try:
            code = self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return f"signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"exit code {code}"
