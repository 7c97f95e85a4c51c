"""Samples: what stands beside each other in an archive under one key."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sightline.queue.sources import PictureRef, Refusal, SourceKind
from sightline_embedder.sources import Listed
from sightline_embedder.sources.archives.names import fragment_of

SAMPLE_MEMBERS = 32
"""A sample ends after so many members, so that listing stays lazy whatever the names are."""


@dataclass(frozen=True)
class Found:
    """A picture of a sample: copied to the media store, or refused. `cursor` is that of its listing."""

    name: str
    sha256: str | None
    refused: Refusal | None
    cursor: str


@dataclass
class Sample:
    """Consecutive members that share a key; `members` counts those that were passed over too."""

    key: str
    members: int = 0
    _found: list[Found] = field(default_factory=list)
    _described: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether the next member begins another sample, whatever its key."""
        return self.members >= SAMPLE_MEMBERS

    def add(self, found: Found) -> None:
        """Add a picture."""
        self._found.append(found)

    def describe(self, extension: str, metadata: dict[str, Any]) -> None:
        """Add what the sidecar with that extension says of all pictures of the sample."""
        self._described[extension] = metadata

    def listed(self, archive_uri: str) -> Iterator[Listed]:
        """The pictures, in the order of the archive. What the JSON object says goes before the others."""
        metadata: dict[str, Any] = {}
        for extension in ("txt", "cls", "json"):
            metadata |= self._described.get(extension, {})
        for found in self._found:
            ref = PictureRef(
                kind=SourceKind.ARCHIVE,
                uri=f"{archive_uri}#{fragment_of(found.name)}",
                sha256=found.sha256,
                metadata=metadata,
                refused=found.refused,
            )
            yield Listed(ref, cursor=found.cursor)
