"""Where zip members lie in the file: no byte may belong to two of them.

A zip bomb that needs no nesting lets many entries of its directory share one piece of compressed data
(D. Fifield, A better zip bomb, WOOT 2019). What does not overlap cannot unpack to more than deflate's
1,032 times the size of the file.
"""

from array import array
from bisect import bisect_left

import numpy as np

from sightline_embedder.sources.archives.zip_records import LOCAL, ZipEntry


class Extents:
    """The starts of all members in order, 9 bytes for each."""

    def __init__(self, offsets: "array[int]", end: int) -> None:
        """`offsets` of the local headers, which are sorted in place; members end before `end`."""
        if offsets:
            np.frombuffer(offsets, dtype=np.uint64).sort()
        self._starts = offsets
        self._taken = bytearray(len(offsets))
        self._end = end

    def claim(self, entry: ZipEntry) -> str | None:
        """Take the place of a member; why it cannot have it, if another has it, or None."""
        place = bisect_left(self._starts, entry.offset)
        if place == len(self._starts):
            return "was not there before: the archive changed"
        taken, self._taken[place] = self._taken[place], 1
        if taken:
            return "shares its data with another member"
        # The extra field of the local header comes on top; how long it is, only reading it tells.
        if entry.offset + LOCAL.size + len(entry.raw_name) + entry.packed > self.end_of(entry):
            return "overlaps another member"
        return None

    def end_of(self, entry: ZipEntry) -> int:
        """Where the next member, or the directory, begins."""
        place = bisect_left(self._starts, entry.offset + 1)
        return min(self._starts[place], self._end) if place < len(self._starts) else self._end
