"""Whether an embedder still takes messages: a heartbeat from its consumer, and a check of it.

That the process lives says little: consumers have been seen to stall after Redis came back, with
everything else running. So the heartbeat is written by the loop that takes messages, and carries the
time of the last progress; `python -m sightline_embedder.health` judges it and ends with 0 or 1.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from celery import Celery, bootsteps
from redis.exceptions import RedisError

from sightline.errors import SightlineError
from sightline.queue.connection import connect_redis
from sightline.queue.messages import Queue
from sightline.settings import Settings, read_settings
from sightline_embedder.progress import Progress

BEAT_S = 5.0
SILENCE_S = 60.0
"""Without a beat for this long the consumer is stuck, or has no Redis."""
IDLE_S = 300.0
"""Messages that wait while nothing went on for this long: above the slowest batch."""


class Heartbeat:
    """The file's modification time is the last beat, its first line the last progress, or the start.

    A second line says what keeps the embedder from encoding.
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path = path
        self._unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        self._progress = progress

    def beat(self) -> None:
        """Write the file anew."""
        fault = " ".join((self._progress.fault or "").split())
        self._unfinished.write_text(f"{self._progress.at or self._progress.started}\n{fault}")
        self._unfinished.replace(self._path)


def send_heartbeats(broker: Celery, beats: Sequence[Callable[[], None]]) -> None:
    """Have the worker of this application call these from its consumer's loop; call before it starts."""

    def beat() -> None:
        for one in beats:
            one()

    class Beat(bootsteps.StartStopStep):  # type: ignore[misc]
        """Started again with the consumer after each loss of the connection."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:
            beat()
            parent.timer.call_repeatedly(BEAT_S, beat)

    broker.steps["consumer"].add(Beat)


def find_fault(settings: Settings, now: float) -> str | None:
    """What is wrong with the embedder of these settings at `now` (Unix time, s), or None."""
    path = settings.heartbeat_file
    if path is None or settings.redis_url is None:
        return "SIGHTLINE_HEARTBEAT_FILE or SIGHTLINE_REDIS_URL is not set."
    try:
        last_beat, (at, _, fault) = path.stat().st_mtime, path.read_text().partition("\n")
    except FileNotFoundError:
        return "The embedder does not take messages yet."
    except OSError as error:
        return f"SIGHTLINE_HEARTBEAT_FILE, {path}, cannot be read: {error.strerror}."
    if now - last_beat > SILENCE_S:
        return f"The consumer has not turned for {now - last_beat:.0f} s: it is stuck, or Redis is away."
    if fault:
        return fault
    last_progress = float(at)
    if now - last_progress > IDLE_S and (waiting := _waiting(settings.redis_url)):
        return f"{waiting} messages wait, and nothing went on for {now - last_progress:.0f} s."
    return None


def main() -> int:
    """0 when the embedder is well; 1 and a sentence when it is not."""
    try:
        fault = find_fault(read_settings(), time.time())
    except (SightlineError, RedisError) as error:
        fault = str(error)
    if fault is not None:
        sys.stdout.write(f"{fault}\n")
    return 0 if fault is None else 1


def _waiting(redis_url: str) -> int:
    redis = connect_redis(redis_url)
    return sum(int(redis.llen(queue.value)) for queue in Queue)


if __name__ == "__main__":
    sys.exit(main())
