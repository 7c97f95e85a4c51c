"""Every setting of Sightline, typed, read once per process from the environment (prefix SIGHTLINE_)."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from sightline.errors import SettingsError
from sightline.payload import MAX_TAG_CHARACTERS, ExifField, FieldType

MIB = 1 << 20
SEARCH_EF = 400
"""Among 500,000 vectors in dense clusters 100 find 93 % of the nearest, 400 find 98.7 %, for 0.3 ms more."""

MOST_AUTO_TAGS = 1_000
AutoTag = Annotated[str, Field(min_length=1, max_length=MAX_TAG_CHARACTERS)]
CollectionName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""Names of collections: short, and safe as folder names."""


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
    allowed_hosts: list[str] = ["localhost", "127.0.0.1", "[::1]"]
    max_upload_files: Annotated[int, Field(ge=1)] = 500
    max_upload_bytes: Annotated[int, Field(ge=1)] = 2048 * MIB
    min_free_bytes: Annotated[int, Field(ge=0)] = 512 * MIB
    max_active_jobs: Annotated[int, Field(ge=1)] = 1000
    text_cache_entries: Annotated[int, Field(ge=0)] = 10_000
    recall_sample_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """So often one search is repeated exactly, to measure recall; 0 turns that off."""

    log_level: str = "info"

    @model_validator(mode="after")
    def _index_is_named_once(self) -> Self:
        if self.qdrant_url and self.index_socket:
            raise ValueError(
                "SIGHTLINE_QDRANT_URL and SIGHTLINE_INDEX_SOCKET name two indexes; set one of them."
            )
        return self

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


def _sentence(fault: ErrorDetails) -> str:
    name = "_".join(str(part) for part in fault["loc"]).upper()
    return f"SIGHTLINE_{name}: {fault['msg']}." if name else f"{fault['msg']}"
