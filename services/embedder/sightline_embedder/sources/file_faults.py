"""Faults of a file that a source is made of, told in its name."""

from collections.abc import Iterator
from contextlib import contextmanager

from sightline_embedder.errors import SourceError


@contextmanager
def faults_of(uri: str, unreadable: str) -> Iterator[None]:
    """Name the file in every SourceError; a disk that fails becomes one with the code `unreadable`."""
    try:
        yield
    except OSError as error:
        raise SourceError(unreadable, f"{uri} cannot be read: {error.strerror or error}.") from error
    except SourceError as error:
        raise SourceError(error.code, f"{uri}: {error.detail}") from error
