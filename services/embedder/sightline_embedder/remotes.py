"""What an embedder reaches beyond its machine: buckets it may read, and the web."""

from dataclasses import dataclass
from typing import Self

from sightline.buckets import Buckets
from sightline.settings import Settings
from sightline_embedder.fetching import Fetcher


@dataclass(frozen=True)
class Remotes:
    """One of each per process, so that their limits per host hold for all who use them."""

    buckets: Buckets
    fetcher: Fetcher

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Within what the settings allow; nothing is connected yet."""
        return cls(Buckets.of(settings), Fetcher.of(settings))

    def close(self) -> None:
        """End idle connections."""
        self.fetcher.close()
