"""A kept pool of decode processes: what hangs or crashes on one picture is killed and costs no other."""

import os
import queue
import signal
import subprocess
import sys
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Event, Thread
from types import TracebackType
from typing import Self

from sightline.decode_process import READY, Assignment, Decode, unpack
from sightline.decoding import Decoded, DecodePlan, decode_picture
from sightline.encoder.artifact import Preprocessing
from sightline.errors import BadPicture, FailureReason, Unavailable
from sightline.pictures import PictureLimits

__all__ = ["Decoded", "PictureDecoder"]

_START_TIMEOUT_S = 60.0
_SERVICE = "The picture decoder"
_BOOT = "from sightline.decode_process import main; main()"


@dataclass(frozen=True)
class _Task:
    data: bytes
    thumbnail: bool
    future: Future[Decoded]


class PictureDecoder:
    """Decodes pictures side by side in processes of its own. Safe to call from several threads.

    `timeout_s` counts from when a picture is handed to a free process, so that waiting in the queue
    costs it nothing. `memory_bytes` is what decoding one picture may allocate. `decode` must be
    importable in another process.
    """

    def __init__(
        self,
        *,
        limits: PictureLimits,
        preprocessing: Preprocessing,
        thumbnail_side: int,
        processes: int,
        timeout_s: float,
        memory_bytes: int,
        decode: Decode = decode_picture,
    ) -> None:
        plan = DecodePlan(limits, preprocessing, thumbnail_side)
        assignment = Assignment(decode, plan, memory_bytes, os.getpid())
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._closed = Event()
        self._lanes = [_Lane(assignment, timeout_s, self._tasks, self._closed) for _ in range(processes)]

    def submit(self, data: bytes, *, thumbnail: bool = True) -> Future[Decoded]:
        """Queue a picture. The future raises BadPicture, or Unavailable when processes cannot be started
        or the decoder was closed meanwhile."""
        if self._closed.is_set():
            raise Unavailable(_SERVICE, "it was closed.")
        future: Future[Decoded] = Future()
        self._tasks.put(_Task(data, thumbnail, future))
        return future

    def warm(self) -> None:
        """Wait until every process has imported what it needs; raises Unavailable if one cannot start."""
        for done in wait_for([lane.ready for lane in self._lanes]).done:
            done.result()

    def close(self) -> None:
        """End the processes at once. Pictures that are still queued or being decoded raise Unavailable."""
        if self._closed.is_set():
            return
        self._closed.set()
        for _ in self._lanes:
            self._tasks.put(None)
        for lane in self._lanes:
            lane.end()
        while not self._tasks.empty():
            task = self._tasks.get()
            if task is not None and task.future.set_running_or_notify_cancel():
                task.future.set_exception(Unavailable(_SERVICE, "it was closed."))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Lane:
    """One process at a time, and the thread that feeds it and replaces it when it ends."""

    def __init__(
        self,
        assignment: Assignment,
        timeout_s: float,
        tasks: "queue.SimpleQueue[_Task | None]",
        closed: Event,
    ) -> None:
        self.ready: Future[None] = Future()
        self._assignment = assignment
        self._timeout_s = timeout_s
        self._tasks = tasks
        self._closed = closed
        self._process: _Process | None = None
        # The thread lives as long as its process: on Linux the process ends with the thread that made it.
        self._thread = Thread(target=self._run, name="picture-decoder", daemon=True)
        self._thread.start()

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._usable_process()
        except Unavailable as error:
            self.ready.set_exception(error)
        else:
            self.ready.set_result(None)
        while not self._closed.is_set() and (task := self._tasks.get()) is not None:
            if task.future.set_running_or_notify_cancel():
                try:
                    decoded = self._decode(task)
                except (BadPicture, Unavailable) as error:
                    task.future.set_exception(error)
                else:
                    task.future.set_result(decoded)
        if self._process is not None:
            self._process.end()
