"""What a decode process may hold in memory, and how it gives back what a picture took."""

import ctypes
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of mallopt(3)."""
_LARGE_BYTES = 8 << 20
_KEPT_FREE_BYTES = 64 << 20


def return_large_blocks() -> None:
    """Have the C allocator map what is large by itself and keep what is small for the next picture (glibc).

    Left alone it learns from the first large blocks to take all from its heap, where what is freed stays:
    one picture of 100 megapixels and a process keeps a gigabyte. It also returns the few megabytes of an
    ordinary picture each time, only to fetch them again, which takes a sixth of the time of decoding.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if sys.platform != "linux" or mallopt is None:
        return
    mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_TRIM_THRESHOLD, _KEPT_FREE_BYTES)
    mallopt(_ARENA_MAX, 1)


class MemoryBudget:
    """Bounds the address space to `memory_bytes` more than it was when the budget was made (Linux)."""

    def __init__(self, memory_bytes: int) -> None:
        self._address_space_bytes = _address_space_bytes() + memory_bytes if sys.platform == "linux" else None

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """Have what goes beyond the budget raise MemoryError, or whatever a C library makes of it."""
        if self._address_space_bytes is None:
            yield
            return
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = self._address_space_bytes
        resource.setrlimit(
            resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard)
        )
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _address_space_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
