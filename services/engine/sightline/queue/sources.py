"""Where the pictures of a job come from, and how one of them is named until it is read."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from sightline.errors import FailureReason
from sightline.likeness import PERCEPTUAL_BITS, SEMANTIC_COSINE


class SourceKind(StrEnum):
    """The kinds of place that a point's source can be."""

    FOLDER = "folder"
    UPLOAD = "upload"
    URL = "url"
    ARCHIVE = "archive"
    BUCKET = "bucket"


class Refusal(BaseModel):
    """Why a picture was refused while its source was listed, before anybody read it."""

    model_config = ConfigDict(frozen=True)

    reason: FailureReason
    detail: str


class PictureRef(BaseModel):
    """One picture by reference.

    `uri` is what a point records as the source: `file:///…`, `https://…`, `s3://…`, `upload:<name>`, or
    an archive's URI with the member as fragment. `sha256` is set where the media store has the bytes, and
    `point_id` where this is about a point that is there already.
    """

    model_config = ConfigDict(frozen=True)

    kind: SourceKind
    uri: str
    sha256: str | None = None
    point_id: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    refused: Refusal | None = None


class Item(PictureRef):
    """One picture of a job; `number` is its place in the listing, from 0."""

    number: int


class _Place(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FolderSource(_Place):
    """All pictures below a folder on the embedder's machine.

    With `sync` the index follows the folder: files that did not change are not read, and pictures
    whose last file is gone are removed.
    """

    kind: Literal["folder"] = "folder"
    path: str
    recursive: StrictBool = True
    sync: StrictBool = False


class _FileSource(_Place):
    path: str | None = None
    url: str | None = None

    @model_validator(mode="after")
    def _is_in_one_place(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("give either path or url")
        return self


class ArchiveSource(_FileSource):
    """The pictures in a zip, tar or tar.gz file: a file in an import root, or at a URL."""

    kind: Literal["archive"] = "archive"


class ManifestSource(_FileSource):
    """The pictures that a CSV, JSONL or Parquet file names in `image_column`; the rest is metadata."""

    kind: Literal["manifest"] = "manifest"
    image_column: str = "url"


class BucketSource(_Place):
    """All pictures below a prefix of a bucket: `s3://bucket/prefix`."""

    kind: Literal["bucket"] = "bucket"
    url: str


class RecordedSource(_Place):
    """Pictures that the ledger lists itself: uploads, URLs, or what is retried of another job."""

    kind: Literal["upload", "urls", "retry"]
    retry_of: str | None = None


class DuplicatesSource(_Place):
    """No pictures that come in, but those of the collection, to be scanned for duplicates.

    Copies have at most `perceptual_bits` bits of their hashes turned; alike are pictures whose vectors have
    a cosine of `semantic_cosine` or more.
    """

    kind: Literal["duplicates"] = "duplicates"
    perceptual_bits: Annotated[int, Field(ge=0, le=96)] = PERCEPTUAL_BITS
    semantic_cosine: Annotated[float, Field(ge=0.5, le=1)] = SEMANTIC_COSINE


class MigrationSource(_Place):
    """No pictures that come in, but those of the collection, to be encoded for a migration's new version."""

    kind: Literal["migration"] = "migration"
    migration: str


class ExportTarget(_Place):
    """No pictures that come in: the points of the collection go to files.

    They go into the folder `path`, or without one into a folder of the job's own, to be fetched from the API.
    """

    kind: Literal["export"] = "export"
    path: str | None = None
    thumbnails: StrictBool = True


class PointsFormat(StrEnum):
    """The formats that points are imported from."""

    SIGHTLINE = "sightline"
    CLIP_RETRIEVAL = "clip-retrieval"


class PointsSource(_Place):
    """Points that were made elsewhere, with their vectors: nothing is encoded.

    They are in the folder `path`, or in files that were sent under the id `upload`. `model` is the name or
    the space of the model that made the vectors, where the files do not say it.
    """

    kind: Literal["import"] = "import"
    path: str | None = None
    upload: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    format: PointsFormat = PointsFormat.SIGHTLINE
    model: Annotated[str, Field(max_length=256)] | None = None

    @model_validator(mode="after")
    def _is_in_one_place(self) -> Self:
        if (self.path is None) == (self.upload is None):
            raise ValueError("give either path or upload")
        return self

    @model_validator(mode="after")
    def _names_the_model(self) -> Self:
        if self.format is PointsFormat.CLIP_RETRIEVAL and self.model is None:
            raise ValueError("name the model that made the vectors: these files do not say it")
        return self


JobSource = Annotated[
    FolderSource
    | ArchiveSource
    | ManifestSource
    | BucketSource
    | RecordedSource
    | DuplicatesSource
    | MigrationSource
    | ExportTarget
    | PointsSource,
    Field(discriminator="kind"),
]
