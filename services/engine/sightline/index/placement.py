"""Where a cluster keeps the points of a collection, and how many of its nodes a read or a write asks."""

from dataclasses import dataclass, fields

from sightline.settings import ReadConsistency, Settings


@dataclass(frozen=True)
class Placement:
    """The shards of a collection and their replicas; None: as the server decides.

    `write_consistency_factor` replicas have a write before it is answered, `read_fan_out_factor` more than
    one are asked by a read. The last can be None on a server too: by how busy the nodes are.
    """

    shards: int | None = None
    replication_factor: int | None = None
    write_consistency_factor: int | None = None
    read_fan_out_factor: int | None = None

    def unlike(self, held: "Placement") -> str | None:
        """A sentence about what a collection has otherwise than it should, or None."""
        wanted = {field.name: getattr(self, field.name) for field in fields(self)}
        differing = [
            f"{name} {getattr(held, name)}, not {value}"
            for name, value in wanted.items()
            if value is not None and value != getattr(held, name)
        ]
        if not differing:
            return None
        return (
            f"It was made with {'; '.join(differing)} as the settings say. Shards and replicas stay as they "
            f"were made until they are moved on the server; docs/cluster.md says how."
        )


@dataclass(frozen=True)
class Cluster:
    """What the settings say about a Qdrant cluster."""

    placement: Placement = Placement()
    read_consistency: ReadConsistency | None = None

    @property
    def replicated(self) -> bool:
        """Whether points are kept more than once."""
        return (self.placement.replication_factor or 1) > 1


def cluster_of(settings: Settings) -> Cluster:
    """What these settings say."""
    placement = Placement(
        settings.qdrant_shards,
        settings.qdrant_replication_factor,
        settings.qdrant_write_consistency_factor,
        settings.qdrant_read_fan_out_factor,
    )
    return Cluster(placement, settings.qdrant_read_consistency)
