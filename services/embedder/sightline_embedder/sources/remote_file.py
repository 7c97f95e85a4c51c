"""The seam through which sources read whole files that are not on this machine."""

from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol


class RemoteFiles(Protocol):
    """Opens what a URL names: a manifest, an archive."""

    def __call__(self, url: str, /) -> AbstractContextManager[BinaryIO]:
        """The file at `url`, seekable and on this machine until the context is left.

        Raises SourceError where there is none to be had, and Unavailable when a service does not answer.
        """
