"""The vectors of a query's pictures: stored ones, those that come with it, and boxes cut out of either."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.decoder import PictureDecoder, Wanted
from sightline.encoder import Encoder
from sightline.errors import ImageNotFound, NotFound
from sightline.index import StoredPoint, VectorIndex
from sightline.media import MediaStore
from sightline.pictures.box import Box
from sightline_api.originals import Originals
from sightline_api.search.models import ImageIdPart


@dataclass(frozen=True)
class PartVector:
    """`vector` is float32, shape (dimension,), of length 1; `from_thumbnail` if no original could be had."""

    vector: NDArray[np.float32]
    from_thumbnail: bool = False


class PictureVectors:
    """Finds or computes the vectors of pictures. Safe to use from several threads."""

    def __init__(
        self,
        encoder: Encoder,
        decoder: PictureDecoder,
        index: VectorIndex,
        originals: Originals,
        media: MediaStore,
    ) -> None:
        self._encoder = encoder
        self._decoder = decoder
        self._index = index
        self._originals = originals
        self._media = media

    def stored_points(self, collection: str, parts: Sequence[ImageIdPart]) -> Mapping[str, StoredPoint]:
        """The points of stored pictures with their vectors, by id; raises ImageNotFound."""
        ids = list(dict.fromkeys(str(part.image_id) for part in parts))
        if not ids:
            return {}
        found = self._index.retrieve(collection, ids, with_vectors=True)
        for image_id in ids:
            if image_id not in found:
                raise ImageNotFound(collection, image_id)
        return found

    def of_stored(self, collection: str, part: ImageIdPart, point: StoredPoint) -> PartVector:
        """The vector of a stored picture, which costs nothing, or that of a box of it.

        The box is cut out of the original, or where that is gone out of the thumbnail. Raises
        BadPicture, and NotFound if neither can be read.
        """
        if part.box is None:
            if point.vector is None:
                raise ImageNotFound(collection, point.id)
            return PartVector(point.vector)
        try:
            original = self._originals.read(collection, point)
        except NotFound:
            thumbnail = self._media.read_thumbnail(collection, point.id)
            return PartVector(self._encoded(thumbnail, part.box), from_thumbnail=True)
        return PartVector(self._encoded(original, part.box))

    def of_bytes(self, data: bytes, box: Box | None = None) -> PartVector:
        """The vector of a picture that came with the query, or of a box of it; raises BadPicture."""
        return PartVector(self._encoded(data, box))

    def _encoded(self, data: bytes, box: Box | None) -> NDArray[np.float32]:
        decoded = self._decoder.submit(data, Wanted(box=box)).result()
        vector: NDArray[np.float32] = self._encoder.encode_views(decoded.views[np.newaxis])[0]
        return vector
