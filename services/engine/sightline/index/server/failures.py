"""What the client of a Qdrant server raises, in our words."""

from collections.abc import Iterator
from contextlib import contextmanager

from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from sightline.errors import CollectionNotFound, Unavailable

_SERVICE = "Qdrant"


@contextmanager
def translated(collection: str | None = None) -> Iterator[None]:
    """Raise Unavailable or CollectionNotFound for what has such a meaning; the rest goes through."""
    try:
        yield
    except ResponseHandlingException as error:
        raise Unavailable(_SERVICE, str(error.source)) from error
    except ResourceExhaustedResponse as error:
        raise Unavailable(_SERVICE, f"it is overloaded: {error}") from error
    except UnexpectedResponse as error:
        status = error.status_code or 0
        if status == 404 and collection is not None:
            raise CollectionNotFound(collection) from error
        if status in (401, 403):
            raise Unavailable(_SERVICE, "it refuses our key; check SIGHTLINE_QDRANT_API_KEY") from error
        if status in (408, 429) or status >= 500:
            raise Unavailable(_SERVICE, f"status {status} {error.reason_phrase}") from error
        raise
