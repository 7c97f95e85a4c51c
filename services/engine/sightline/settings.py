"""Every setting of Sightline, typed, read once per process from the environment (prefix SIGHTLINE_)."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from sightline.errors import SettingsError
from sightline.payload import MAX_TAG_CHARACTERS, ExifField, FieldType

MIB = 1 << 20
SEARCH_EF = 400
"""Among 500,000 vectors in dense clusters 100 find 93 % of the nearest, 400 find 98.7 %, for 0.3 ms more."""

MOST_AUTO_TAGS = 1_000
AutoTag = Annotated[str, Field(min_length=1, max_length=MAX_TAG_CHARACTERS)]
CollectionName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""Names of collections: short, and safe as folder names."""
ReadConsistency = Annotated[int, Field(ge=1)] | Literal["majority", "quorum", "all"]
"""How many replicas of a shard have to agree on what is read."""
ClusterFactor = Annotated[int, Field(ge=1)]
RateLimit = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}/(second|minute|hour|day)$")]
"""So many in any such time: `600/minute`."""


class Runtime(StrEnum):
    """What runs the model."""

    OPENVINO = "openvino"
    TORCH = "torch"


class Precision(StrEnum):
    """Arithmetic of the towers; `auto` takes what the artifact was judged fit for and the CPU has."""

    AUTO = "auto"
    F32 = "f32"
    BF16 = "bf16"
    INT8 = "int8"


class Quantization(StrEnum):
    """How vectors are compressed in memory; `auto` takes `turbo4` from 10^6 points, and `none` below."""

    AUTO = "auto"
    NONE = "none"
    INT8 = "int8"
    TURBO4 = "turbo4"


class Settings(BaseSettings):
    """All settings. Lists and objects are written as JSON."""

    model_config = SettingsConfigDict(env_prefix="SIGHTLINE_", frozen=True, extra="ignore")

    # Where things are
    data_dir: Path = Path("data")
    redis_url: str | None = None
    qdrant_url: str | None = None
    qdrant_api_key: SecretStr | None = None
    index_socket: Path | None = None
    collection: CollectionName = "images"
    metadata_fields: dict[str, FieldType] = {}
    media_url: Annotated[str, Field(pattern=r"^(s3|gs|az|abfs)://\S+$")] | None = None
    """The bucket that keeps originals and thumbnails; unset, a folder of `data_dir` does."""
    redis_wait_replicas: Annotated[int, Field(ge=0)] = 0
    """So many replicas of Redis have a job before it is accepted."""

    # A cluster of Qdrant
    qdrant_more_urls: list[str] = []
    """Other nodes of the same cluster, for when the one at `qdrant_url` is gone."""
    qdrant_shards: ClusterFactor | None = None
    qdrant_replication_factor: ClusterFactor | None = None
    qdrant_write_consistency_factor: ClusterFactor | None = None
    qdrant_read_fan_out_factor: Annotated[int, Field(ge=0)] | None = None
    qdrant_read_consistency: ReadConsistency | None = None

    # The vector index
    quantization: Quantization = Quantization.AUTO
    vectors_on_disk: bool | None = None
    """Whether original vectors stay out of memory; unset, they do where they are quantized."""
    index_rebuild_points: Annotated[int, Field(ge=1)] = 20_000
    """An embedded index takes points into its graph when this many, and a fifth of it, are outside."""
    index_full_scan_kb: Annotated[int, Field(ge=0)] = 40_000
    """An embedded index compares all vectors that may be hits where they have no more KiB."""
    search_ef: Annotated[int, Field(ge=1, le=10_000)] = SEARCH_EF
    """Candidates a search keeps while it walks the graph."""

    # The model
    model: str | None = None
    """For `up` and `demo` a name or a folder; for api and embedder the folder of an artifact."""
    models_dir: Path | None = None
    """Where the models of collections are looked for, one artifact a folder; unset, beside `model`."""
    runtime: Runtime = Runtime.OPENVINO
    precision: Precision = Precision.AUTO
    encoder_threads: Annotated[int, Field(ge=0)] = 0

    # Pictures
    max_picture_bytes: Annotated[int, Field(ge=1)] = 128 * MIB
    max_picture_pixels: Annotated[int, Field(ge=1)] = 250_000_000
    decode_timeout_s: Annotated[float, Field(gt=0)] = 10.0
    decode_memory_bytes: Annotated[int, Field(ge=256 * MIB)] = 768 * MIB
    decode_processes: Annotated[int, Field(ge=0)] = 0
    thumbnail_side: Annotated[int, Field(ge=32, le=2048)] = 384
    exif_fields: list[ExifField] = []
    """Off by default: pictures give away where people live."""
    auto_tags: Annotated[list[AutoTag], Field(max_length=MOST_AUTO_TAGS)] = []
    """Labels that pictures are tagged with as they come in, where they show them."""

    # Ingest
    import_roots: list[Path] = []
    export_roots: list[Path] = []
    """Folders below which an export may be written; without one it is fetched from the API."""
    buckets: list[str] = []
    batch_pictures: Annotated[int, Field(ge=1, le=512)] = 32
    batches_in_flight: Annotated[int, Field(ge=1)] = 16
    archive_max_members: Annotated[int, Field(ge=1)] = 1_000_000
    archive_max_bytes: Annotated[int, Field(ge=1)] = 100 * 1024 * MIB
    job_retention_days: Annotated[int, Field(ge=1)] = 30
    visibility_timeout_s: Annotated[int, Field(ge=1)] = 60
    """A message that an embedder took and has not acknowledged is delivered again after this."""
    sole_embedder: bool = False
    heartbeat_file: Path | None = None

    # Fetching from URLs
    fetch_allowed_networks: list[IPvAnyNetwork] = []
    fetch_timeout_s: Annotated[float, Field(gt=0)] = 30.0
    fetch_first_byte_s: Annotated[float, Field(gt=0)] = 10.0
    fetch_max_redirects: Annotated[int, Field(ge=0, le=20)] = 5
    fetch_per_host: Annotated[int, Field(ge=1)] = 4
    download_max_bytes: Annotated[int, Field(ge=1)] = 64 * 1024 * MIB
    download_timeout_s: Annotated[float, Field(gt=0)] = 3600.0

    # The gateway
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    api_key: SecretStr | None = None
    allow_anonymous: bool = False
    rate_limit: RateLimit | None = None
    """How many requests each key may send, unless it has a limit of its own."""
    ingest_quota: RateLimit | None = None
    """How many pictures each key may bring in, unless it has a quota of its own."""
    allowed_hosts: list[str] = ["localhost", "127.0.0.1", "[::1]"]
    cors_origins: list[str] = []
    """Pages of these origins may call the API from a browser, with a key."""
    max_upload_files: Annotated[int, Field(ge=1)] = 500
    max_upload_bytes: Annotated[int, Field(ge=1)] = 2048 * MIB
    min_free_bytes: Annotated[int, Field(ge=0)] = 512 * MIB
    max_active_jobs: Annotated[int, Field(ge=1)] = 1000
    max_query_bytes: Annotated[int, Field(ge=1)] = 64 * MIB
    """Bodies of searches, classifications and embeddings are held in memory, with the pictures in them."""
    body_memory_bytes: Annotated[int, Field(ge=1)] = 256 * MIB
    """All bodies together that are held in memory."""
    search_concurrency: Annotated[int, Field(ge=1)] = 32
    encoding_concurrency: Annotated[int, Field(ge=1)] = 4
    read_concurrency: Annotated[int, Field(ge=1)] = 16
    """At a time, of each: requests to the index, to the queue, and for thumbnails."""
    upload_concurrency: Annotated[int, Field(ge=1)] = 16
    waiting_per_place: Annotated[int, Field(ge=0)] = 4
    """So many requests may wait for each that is served; others are refused with 429."""
    longest_wait_s: Annotated[float, Field(gt=0)] = 3.0
    text_cache_entries: Annotated[int, Field(ge=0)] = 10_000
    recall_sample_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """So often one search is repeated exactly, to measure recall; 0 turns that off."""

    # What operators see
    log_level: Annotated[
        str, Field(pattern=r"^(?i:debug|info|warn|warning|error|fatal|critical|notset)$")
    ] = "info"
    embedder_metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Where an embedder serves its metrics; unset, nowhere."""
    embedder_metrics_host: str = "127.0.0.1"
    otlp_endpoint: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] | None = None
    """The collector that traces go to; unset, nothing is traced."""

    @model_validator(mode="after")
    def _index_is_named_once(self) -> Self:
        if self.qdrant_url and self.index_socket:
            raise ValueError(
                "SIGHTLINE_QDRANT_URL and SIGHTLINE_INDEX_SOCKET name two indexes; set one of them."
            )
        return self

    @model_validator(mode="after")
    def _cluster_is_possible(self) -> Self:
        replicas = self.qdrant_replication_factor or 1
        wanted = {
            "SIGHTLINE_QDRANT_WRITE_CONSISTENCY_FACTOR": self.qdrant_write_consistency_factor,
            "SIGHTLINE_QDRANT_READ_CONSISTENCY": self.qdrant_read_consistency,
        }
        for name, copies in wanted.items():
            if isinstance(copies, int) and copies > replicas:
                raise ValueError(
                    f"{name} asks for {copies} replicas of each shard, and "
                    f"SIGHTLINE_QDRANT_REPLICATION_FACTOR keeps {replicas}; lower the first or raise "
                    f"the second."
                )
        if self.qdrant_read_fan_out_factor and self.qdrant_read_fan_out_factor >= replicas:
            raise ValueError(
                f"SIGHTLINE_QDRANT_READ_FAN_OUT_FACTOR asks {self.qdrant_read_fan_out_factor} more replicas "
                f"than the first, and SIGHTLINE_QDRANT_REPLICATION_FACTOR keeps {replicas} in all; lower the "
                f"first or raise the second."
            )
        return self

    @model_validator(mode="after")
    def _cluster_is_of_a_server(self) -> Self:
        cluster = ("more_urls", "shards", "replication_factor", "write_consistency_factor")
        names = [f"qdrant_{one}" for one in (*cluster, "read_fan_out_factor", "read_consistency")]
        given = [name for name in names if getattr(self, name) not in (None, [])]
        if given and self.qdrant_url is None:
            raise ValueError(
                f"SIGHTLINE_{given[0].upper()} is about a Qdrant server, and SIGHTLINE_QDRANT_URL names "
                f"none; set that too, or leave both out."
            )
        return self

    @model_validator(mode="after")
    def _largest_query_fits(self) -> Self:
        if self.max_query_bytes > self.body_memory_bytes:
            raise ValueError(
                f"SIGHTLINE_MAX_QUERY_BYTES ({self.max_query_bytes:,}) is more than all bodies together may "
                f"take, SIGHTLINE_BODY_MEMORY_BYTES ({self.body_memory_bytes:,})."
            )
        return self

    @property
    def models_folder(self) -> Path | None:
        """Where artifacts are looked for by the space of their vectors; None where no model is set either."""
        if self.models_dir is not None or self.model is None:
            return self.models_dir
        return Path(self.model).parent

    @property
    def media_dir(self) -> Path:
        """Where originals and thumbnails are kept."""
        return self.data_dir / "media"


def read_settings() -> Settings:
    """Settings from the environment; raises SettingsError with one sentence for each fault."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(" ".join(_sentence(fault) for fault in error.errors())) from error
    except SourceError as error:
        # It has the field in its sentence alone.
        name = str(error).partition('"')[2].partition('"')[0].upper()
        raise SettingsError(
            f'SIGHTLINE_{name} is not JSON. Write a list as ["a", "b"], an object as {{"a": "b"}}.'
        ) from error


def _sentence(fault: ErrorDetails) -> str:
    name = "_".join(str(part) for part in fault["loc"]).upper()
    return f"SIGHTLINE_{name}: {fault['msg']}." if name else f"{fault['msg']}"
