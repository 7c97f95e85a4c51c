"""A process for a parser that is not to be trusted with its parent: the process itself."""

import resource
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

from sightline.decoder.memory import MemoryBudget
from sightline_embedder.errors import SourceError
from sightline_embedder.limited_process import ANSWER_S

MEMORY_BYTES = 1 << 30


def serve(
    answers_of: Callable[[bytes], Iterator[bytes]],
    *,
    last: bytes,
    said: Callable[[SourceError], bytes],
    damage: Callable[[str], SourceError],
) -> None:
    """Serve the connection whose descriptor is the first argument, until it closes.

    The first request says what to answer; every other asks for the next answer. `last` is the answer when
    there are no more, `said` makes one of what is wrong, and `damage` says so of what the library made of the
    file.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is the parent's to answer
    with Connection(int(sys.argv[1])) as connection:
        try:
            order = connection.recv_bytes()
            budget = MemoryBudget(MEMORY_BYTES)
            answers = answers_of(order)
            while True:
                _limit_cpu_time()
                with budget.enforced():
                    try:
                        answer = _next(answers, last, damage)
                    except SourceError as error:
                        answer = said(error)
                connection.send_bytes(answer)
                connection.recv_bytes()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _next(answers: Iterator[bytes], last: bytes, damage: Callable[[str], SourceError]) -> bytes:
    try:
        return next(answers, last)
    except SourceError:
        raise
    except MemoryError as error:
        raise damage(f"Reading it takes more than {MEMORY_BYTES >> 20} MiB of memory.") from error
    except Exception as error:
        raise damage(f"It is no sound file ({' '.join(str(error).split())[:300]}).") from error


def _limit_cpu_time() -> None:
    """End this process by SIGXCPU when it hangs, even where its parent is gone."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    limit = int(usage.ru_utime + usage.ru_stime) + ANSWER_S
    resource.setrlimit(
        resource.RLIMIT_CPU, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard)
    )
