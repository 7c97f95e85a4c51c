"""Archives: the pictures in zip and tar files, read member by member and never unpacked to a disk.

What an archive claims of itself is not believed: names, links, sizes and counts are checked, and
everything is bounded by the bytes that really come out.
"""

from sightline_embedder.sources.archives.limits import ArchiveLimits
from sightline_embedder.sources.archives.listing import ArchiveListing
from sightline_embedder.sources.archives.places import ArchivePlace, archive_place

__all__ = ["ArchiveLimits", "ArchiveListing", "ArchivePlace", "archive_place"]
