"""Collections on a Qdrant server: made, described, named by aliases, arranged and dropped."""

from collections.abc import Mapping
from uuid import uuid4

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from sightline.errors import BadRequest, CollectionNotFound
from sightline.index.placement import Placement
from sightline.index.records import CollectionRecord
from sightline.index.server.failures import translated
from sightline.index.server.layouts import quantization_config, quantization_of
from sightline.index.tuning import HNSW_EF_CONSTRUCT, HNSW_M, Tuning, VectorLayout
from sightline.payload import FieldType
from sightline.settings import Precision, Quantization

_SPACE = "sightline.space"
_FIELD = "sightline.field."
_QUANTIZATION = "sightline.quantization"
_PRECISION = "sightline.precision"
_UID = "sightline.uid"


class QdrantCollections:
    """Operations on whole collections. Safe to call from several threads, as the client is.

    Every method raises Unavailable when the server does not answer, and CollectionNotFound.
    """

    def __init__(self, client: QdrantClient, placement: Placement) -> None:
        """`placement` is that of new collections."""
        self._client = client
        self._placement = placement

    def create(
        self,
        name: str,
        space: str,
        dimension: int,
        layout: VectorLayout | None = None,
        chosen: Quantization | None = None,
        precision: Precision | None = None,
    ) -> None:
        """Make a collection that knows its space, unless there is one of that name.

        `chosen` and `precision` are what it was asked to be made with, as opposed to what the settings say.
        """
        held = layout or VectorLayout()
        asked = {_QUANTIZATION: chosen, _PRECISION: precision}
        about = {_SPACE: space, _UID: uuid4().hex}
        about |= {key: value.value for key, value in asked.items() if value}
        vectors = models.VectorParams(
            size=dimension,
            distance=models.Distance.COSINE,
            hnsw_config=models.HnswConfigDiff(m=HNSW_M, ef_construct=HNSW_EF_CONSTRUCT),
            quantization_config=quantization_config(held.quantization),
            on_disk=held.on_disk,
        )
        with translated():
            try:
                self._client.create_collection(
                    name,
                    vectors_config=vectors,
                    metadata=about,
                    shard_number=self._placement.shards,
                    replication_factor=self._placement.replication_factor,
                    write_consistency_factor=self._placement.write_consistency_factor,
                )
            except (UnexpectedResponse, ValueError):
                # Another process may have made it meanwhile.
                if not self._client.collection_exists(name):
                    raise

    def describe(self, name: str, *, count: bool) -> CollectionRecord:
        """Describe one collection; `points` is 0 unless they are to be counted.

        Raises BadRequest for a collection that Sightline has not made.
        """
        with translated(name):
            try:
                about = self._client.get_collection(name)
            except ValueError as error:
                # What the client's memory mode says of a name it does not know.
                raise CollectionNotFound(name) from error
        config = about.config
        held = config.metadata or {}
        vectors = config.params.vectors
        if _SPACE not in held or not isinstance(vectors, models.VectorParams):
            raise BadRequest(f"Collection '{name}' on the Qdrant server was not made by Sightline.")
        fields = {
            key.removeprefix(_FIELD): FieldType(kind) for key, kind in held.items() if key.startswith(_FIELD)
        }
        points = self._counted(name) if count else 0
        indexed = about.indexed_vectors_count or 0
        chosen = Quantization(held[_QUANTIZATION]) if _QUANTIZATION in held else None
        precision = Precision(held[_PRECISION]) if _PRECISION in held else None
        params = config.params
        placement = Placement(
            params.shard_number,
            params.replication_factor,
            params.write_consistency_factor,
            params.read_fan_out_factor,
        )
        return CollectionRecord(
            name,
            held[_SPACE],
            vectors.size,
            fields,
            points,
            indexed,
            chosen,
            placement=placement,
            precision=precision,
            uid=held.get(_UID, ""),
        )

    def _counted(self, name: str) -> int:
        with translated(name):
            return self._client.count(name, exact=True).count

    def keep_fan_out(self, name: str, held: Placement) -> None:
        """Have reads of a collection ask as many replicas as the settings say; creation cannot say so."""
        wanted = self._placement.read_fan_out_factor
        if wanted is not None and wanted != held.read_fan_out_factor:
            params = models.CollectionParamsDiff(read_fan_out_factor=wanted)
            with translated(name):
                self._client.update_collection(name, collection_params=params)

    def aliases(self) -> dict[str, str]:
        """The collection that each alias stands for."""
        with translated():
            return {one.alias_name: one.collection_name for one in self._client.get_aliases().aliases}

    def point_alias(self, alias: str, name: str) -> None:
        """Have an alias stand for a collection, in place of any other it stood for, at once."""
        made = models.CreateAliasOperation(
            create_alias=models.CreateAlias(collection_name=name, alias_name=alias)
        )
        gone = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
        with translated(name):
            self._client.update_collection_aliases([gone, made] if alias in self.aliases() else [made])

    def delete_alias(self, alias: str) -> None:
        """Forget an alias, which there is."""
        gone = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
        with translated(alias):
            self._client.update_collection_aliases([gone])

    def keep_layout(self, name: str, tuning: Tuning) -> None:
        """Have the server arrange the vectors of a collection as the settings say; it does so by and by."""
        with translated(name):
            about = self._client.get_collection(name)
            vectors = about.config.params.vectors
            if not isinstance(vectors, models.VectorParams):
                return
            held = VectorLayout(quantization_of(vectors.quantization_config), bool(vectors.on_disk))
            wanted = tuning.layout(about.points_count or 0, held)
            if wanted != held:
                disabled = models.Disabled.DISABLED
                new = models.VectorParamsDiff(
                    quantization_config=quantization_config(wanted.quantization) or disabled,
                    on_disk=wanted.on_disk,
                )
                self._client.update_collection(name, vectors_config={"": new})

    def names(self) -> list[str]:
        """All collections on the server, whoever made them."""
        with translated():
            return sorted(found.name for found in self._client.get_collections().collections)

    def is_ours(self, name: str) -> bool:
        """Whether Sightline made a collection that is on the server."""
        with translated(name):
            return _SPACE in (self._client.get_collection(name).config.metadata or {})

    def index_fields(self, name: str, fields: Mapping[str, FieldType]) -> None:
        """Make a payload index for each field that has none, then note the fields."""
        with translated(name):
            there = self._client.get_collection(name).payload_schema
            for field, kind in fields.items():
                if field not in there:
                    self._client.create_payload_index(name, field, models.PayloadSchemaType(kind.value))
            # One flat entry for each, so that two processes that add fields both succeed.
            noted = {f"{_FIELD}{field}": kind.value for field, kind in fields.items()}
            self._client.update_collection(name, metadata=noted)

    def drop(self, name: str) -> None:
        """Delete a collection, if it is there."""
        with translated(name):
            self._client.delete_collection(name)
