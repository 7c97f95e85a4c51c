"""The vectors of a query's pictures: stored ones, those that come with it, and boxes cut out of either."""

from collections.abc import Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.decoder import Decoded, PictureDecoder, Wanted
from sightline.encoder import Encoder
from sightline.errors import ImageNotFound, NotFound
from sightline.index import StoredPoint, VectorIndex
from sightline.index.versions import collection_of
from sightline.media import MediaStore
from sightline.pictures.box import Box
from sightline_api.http.metrics import Metrics
from sightline_api.http.overload import overloaded
from sightline_api.originals import Originals
from sightline_api.search.models import ImageIdPart


@dataclass(frozen=True)
class PartVector:
    """`vector` is float32, shape (dimension,), of length 1; `from_thumbnail` if no original could be had."""

    vector: NDArray[np.float32]
    from_thumbnail: bool = False


class PictureVectors:
    """Finds or computes the vectors of pictures, of collections by the version that is searched.

    Safe to use from several threads.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: PictureDecoder,
        index: VectorIndex,
        originals: Originals,
        media: MediaStore,
        metrics: Metrics,
        patience_s: float,
    ) -> None:
        """`patience_s`: how long a picture may wait until it is decoded."""
        self._encoder = encoder
        self._decoder = decoder
        self._index = index
        self._originals = originals
        self._media = media
        self._patience_s = patience_s
        self._metrics = metrics

    def stored_points(self, version: str, parts: Sequence[ImageIdPart]) -> Mapping[str, StoredPoint]:
        """The points of stored pictures with their vectors, by id; raises ImageNotFound."""
        ids = list(dict.fromkeys(str(part.image_id) for part in parts))
        if not ids:
            return {}
        found = self._index.retrieve(version, ids, with_vectors=True)
        for image_id in ids:
            if image_id not in found:
                raise ImageNotFound(collection_of(version), image_id)
        return found

    def of_stored(self, version: str, part: ImageIdPart, point: StoredPoint) -> PartVector:
        """The vector of a stored picture, which costs nothing, or that of a box of it.

        The box is cut out of the original, or where that is gone out of the thumbnail. Raises
        BadPicture, NotFound if neither can be read, and ApiError (429) if it waits too long.
        """
        collection = collection_of(version)
        if part.box is None:
            if point.vector is None:
                raise ImageNotFound(collection, point.id)
            return PartVector(point.vector)
        try:
            with self._originals.place(self._patience_s):
                return PartVector(self._encoded(self._originals.read(collection, point), part.box))
        except NotFound:
            thumbnail = self._media.read_thumbnail(collection, point.id)
            return PartVector(self._encoded(thumbnail, part.box), from_thumbnail=True)
        except TimeoutError as error:
            raise overloaded(f"This picture has waited {self._patience_s:g} s to be read.") from error

    def of_bytes(self, data: bytes, box: Box | None = None) -> PartVector:
        """The vector of a picture that came with the query, or of a box of it.

        Raises BadPicture, and ApiError (429) if it waits too long to be decoded.
        """
        return PartVector(self._encoded(data, box))

    def _encoded(self, data: bytes, box: Box | None) -> NDArray[np.float32]:
        decoded = self._decoded(data, Wanted(box=box, models=(self._encoder.manifest.preprocessing,)))
        self._metrics.pictures_encoded(1)
        vector: NDArray[np.float32] = self._encoder.encode_views(decoded.views[np.newaxis])[0]
        return vector

    def _decoded(self, data: bytes, wanted: Wanted) -> Decoded:
        waiting = self._decoder.submit(data, wanted)
        try:
            return waiting.result(self._patience_s)
        except FutureTimeoutError:
            if not waiting.cancel():
                return waiting.result()  # It has its turn, which has a limit of its own.
            raise overloaded(f"This picture has waited {self._patience_s:g} s to be decoded.") from None
