"""The media store that the settings name."""

from sightline.buckets.addresses import AllowedBuckets, ObjectAddress, parse_address
from sightline.errors import BucketUnusable, SettingsError
from sightline.media import FolderMediaStore, MediaStore
from sightline.settings import Settings

_LARGEST_OBJECT_BYTES = 5 << 30
"""What a storage takes in one request, which alone is atomic."""


def open_media(settings: Settings) -> MediaStore:
    """The bucket at SIGHTLINE_MEDIA_URL, or a folder; nothing is asked of it yet.

    Raises SettingsError for what is no bucket, or cannot be one.
    """
    if settings.media_url is None:
        return FolderMediaStore(settings.media_dir)
    # Imported here, because the clients of storages are slow to import.
    from sightline.buckets.opening import open_bucket
    from sightline.buckets.storage import StorageFailure
    from sightline.media_bucket import LIMITS, BucketMediaStore

    place = _place(settings, settings.media_url)
    try:
        bucket = open_bucket(place.scheme, place.bucket, LIMITS)
    except StorageFailure as failure:
        raise SettingsError(f"SIGHTLINE_MEDIA_URL: {place.url} cannot be used: {failure.what}.") from failure
    return BucketMediaStore(bucket, place, settings.media_dir)


def _place(settings: Settings, url: str) -> ObjectAddress:
    try:
        place = parse_address(url).below()
    except BucketUnusable as error:
        raise SettingsError(f"SIGHTLINE_MEDIA_URL: {error.detail}") from error
    if _is_imported(settings, place):
        raise SettingsError(
            f"SIGHTLINE_MEDIA_URL ({place.url}) lies inside SIGHTLINE_BUCKETS: an import would take "
            f"thumbnails for pictures. Use another bucket for one of them, or other prefixes."
        )
    if settings.max_picture_bytes > _LARGEST_OBJECT_BYTES:
        raise SettingsError(
            f"SIGHTLINE_MAX_PICTURE_BYTES ({settings.max_picture_bytes:,}) is more than the bucket of "
            f"SIGHTLINE_MEDIA_URL takes at once, {_LARGEST_OBJECT_BYTES:,}; lower it."
        )
    return place


def _is_imported(settings: Settings, place: ObjectAddress) -> bool:
    try:
        AllowedBuckets(settings.buckets).check(place)
    except BucketUnusable:
        return False
    return True
