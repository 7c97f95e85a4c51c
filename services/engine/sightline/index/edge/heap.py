"""Memory that an engine has freed goes back to the system, instead of staying with the C allocator."""

import ctypes
import sys


def return_free_memory() -> None:
    """Have the C allocator return what it keeps for later (glibc); takes some 10 ms.

    Opening a shard of 100,000 points leaves 170 MB behind that nothing uses, and closing one 220 MB.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if sys.platform == "linux" and malloc_trim is not None:
        malloc_trim(0)
