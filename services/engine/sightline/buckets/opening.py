"""From a bucket's name to the storage that has it."""

from sightline.buckets.addresses import Scheme
from sightline.buckets.storage import Bucket, StorageLimits


def open_bucket(scheme: Scheme, bucket: str, limits: StorageLimits) -> Bucket:
    """The bucket, not asked for anything yet; raises StorageFailure where a storage is not set up.

    S3 has a client of its own: obstore could speak to it too, but a single key with an empty segment, as
    `a//b.jpg`, would make the whole bucket unlistable.
    """
    # Imported when first needed: most installations read no bucket, and botocore takes 0.3 s.
    if scheme is Scheme.S3:
        from sightline.buckets.s3 import S3Bucket

        return S3Bucket(bucket, limits)
    from sightline.buckets.google_azure import open_obstore

    return open_obstore(scheme, bucket, limits)
