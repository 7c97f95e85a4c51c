"""Room on the disk of the media store: some must stay free, for the queue and the index beside it."""

from sightline.errors import StorageFull
from sightline.media import MediaStore


def check_room(media: MediaStore, min_free_bytes: int, coming_bytes: int = 0) -> None:
    """Raise StorageFull unless `min_free_bytes` stay free when `coming_bytes` more have come."""
    free = media.free_bytes()
    if free - coming_bytes < min_free_bytes:
        raise StorageFull(
            "The media store",
            f"{free:,} bytes are free, {coming_bytes:,} should come in, and {min_free_bytes:,} must stay "
            f"free (SIGHTLINE_MIN_FREE_BYTES). Make room on the disk, or send less at once.",
        )
