"""A kept pool of decode processes: what hangs or crashes on one picture is killed and costs no other."""

import os
import pickle
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Self, TypeAlias

from sightline.decoder.process import Assignment, Decode
from sightline.decoder.task import FOR_THE_INDEX, Decoded, DecodePlan, Wanted, decode_picture
from sightline.decoder.worker import SERVICE, DecodeWorker
from sightline.encoder.artifact import Preprocessing
from sightline.errors import BadPicture, Unavailable
from sightline.payload import ExifField
from sightline.pictures import PictureLimits
from sightline.settings import Settings

__all__ = ["Decoded", "PictureDecoder", "Wanted", "usable_cores"]


OnDecoded: TypeAlias = Callable[[float], None]
"""Is told the seconds that a process took for a picture, good or bad. Called from several threads."""


@dataclass(frozen=True)
class _Task:
    data: bytes
    wanted: Wanted
    future: Future[Decoded]


class PictureDecoder:
    """Decodes pictures side by side in processes of its own. Safe to call from several threads.

    `timeout_s` counts from when a picture is handed to a free process, so that waiting in the queue
    costs it nothing. `memory_bytes` is what decoding one picture may allocate. `exif_fields` is what to
    read of EXIF beside orientation and time. `decode` must be importable in another process.
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
        exif_fields: Collection[ExifField] = (),
        decode: Decode = decode_picture,
        on_decoded: OnDecoded | None = None,
    ) -> None:
        limits = replace(limits, memory_bytes=memory_bytes)
        plan = DecodePlan(limits, preprocessing, thumbnail_side, tuple(exif_fields))
        assignment = pickle.dumps(Assignment(decode, plan, memory_bytes, os.getpid()))
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._closed = Event()
        self._lanes = [
            _Lane(assignment, timeout_s, self._tasks, self._closed, on_decoded) for _ in range(processes)
        ]

    @classmethod
    def of(
        cls,
        settings: Settings,
        preprocessing: Preprocessing,
        *,
        processes: int,
        on_decoded: OnDecoded | None = None,
    ) -> Self:
        """A decoder for a model's preprocessing, within the limits of the settings.

        With `processes` 0 it has one for each core that this process may run on.
        """
        return cls(
            limits=PictureLimits(settings.max_picture_bytes, settings.max_picture_pixels),
            preprocessing=preprocessing,
            thumbnail_side=settings.thumbnail_side,
            processes=processes or usable_cores(),
            timeout_s=settings.decode_timeout_s,
            memory_bytes=settings.decode_memory_bytes,
            exif_fields=settings.exif_fields,
            on_decoded=on_decoded,
        )

    def submit(self, data: bytes, wanted: Wanted = FOR_THE_INDEX) -> Future[Decoded]:
        """Queue a picture. The future raises BadPicture, or Unavailable when no process can be started
        or the decoder was closed meanwhile; raises Unavailable itself when it is closed already."""
        if self._closed.is_set():
            raise _closed_error()
        future: Future[Decoded] = Future()
        self._tasks.put(_Task(data, wanted, future))
        return future

    def warm(self) -> None:
        """Wait until every process has imported what it needs; raises Unavailable if one cannot start."""
        for ready in wait_for([lane.ready for lane in self._lanes]).done:
            ready.result()

    def close(self) -> None:
        """End the processes at once. Pictures that are queued or being decoded raise Unavailable."""
        self._closed.set()
        for _ in self._lanes:
            self._tasks.put(None)
        for lane in self._lanes:
            lane.end()
        while not self._tasks.empty():
            task = self._tasks.get()
            if task is not None and task.future.set_running_or_notify_cancel():
                task.future.set_exception(_closed_error())

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
        assignment: bytes,
        timeout_s: float,
        tasks: "SimpleQueue[_Task | None]",
        closed: Event,
        on_decoded: OnDecoded | None,
    ) -> None:
        self.ready: Future[None] = Future()
        self._assignment = assignment
        self._timeout_s = timeout_s
        self._tasks = tasks
        self._closed = closed
        self._on_decoded = on_decoded
        self._worker: DecodeWorker | None = None
        # The thread lives as long as its process: on Linux the process ends with the thread that made it.
        self._thread = Thread(target=self._run, name="picture-decoder", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the process and wait for the thread; call it after `closed` is set."""
        if worker := self._worker:
            worker.kill()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._ready_worker()
        except Unavailable as error:
            self.ready.set_exception(error)
        else:
            self.ready.set_result(None)
        while not self._closed.is_set() and self._take():
            pass
        if self._worker:
            self._worker.end()

    def _take(self) -> bool:
        """Wait for the next picture and see to it, and keep nothing of it; False at the end."""
        task = self._tasks.get()
        if task is None:
            return False
        if task.future.set_running_or_notify_cancel():
            self._finish(task)
        return True

    def _finish(self, task: _Task) -> None:
        try:
            decoded = self._decode(task)
        except Exception as error:  # The future carries whatever it was to whoever waits.
            if isinstance(error, BadPicture):
                # Its traceback holds the task, which holds it: the picture's bytes would stay.
                error.__traceback__ = None
            task.future.set_exception(_closed_error() if self._closed.is_set() else error)
        else:
            task.future.set_result(decoded)

    def _decode(self, task: _Task) -> Decoded:
        worker = self._ready_worker()
        began = time.perf_counter()
        try:
            worker.send(task.data, task.wanted)
        except OSError:  # It ended while it was idle, which is no fault of this picture.
            worker.end()
            worker = self._ready_worker()
            worker.send(task.data, task.wanted)
        try:
            return worker.receive(self._timeout_s)
        finally:
            if self._on_decoded is not None:
                self._on_decoded(time.perf_counter() - began)
            if worker.has_ended and not self._closed.is_set():
                self._worker = DecodeWorker(self._assignment)

    def _ready_worker(self) -> DecodeWorker:
        if self._worker is None or self._worker.has_ended:
            self._worker = DecodeWorker(self._assignment)
        if self._closed.is_set():
            self._worker.kill()
        self._worker.wait_ready()
        return self._worker


def usable_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _closed_error() -> Unavailable:
    return Unavailable(SERVICE, "it was closed.")
