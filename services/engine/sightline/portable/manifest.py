"""The manifest of an export, which is written last: a folder without one is no export."""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sightline.errors import BadRequest
from sightline.payload import FieldType
from sightline.settings import CollectionName, Precision, Quantization

MANIFEST = "export.json"
MAX_MANIFEST_BYTES = 16 << 20
MAX_FILES = 100_000
MAX_FIELDS = 256
POINTS_FILE = re.compile(r"points-[0-9]{5}\.parquet")

Count = Annotated[int, Field(ge=0, lt=2**53)]


class PointsFile(BaseModel):
    """One file of an export: how many points are in it, its size, and its SHA-256."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=f"^{POINTS_FILE.pattern}$")]
    points: Count
    bytes: Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ExportManifest(BaseModel):
    """What an export holds. Fields may be added: a reader leaves out those it does not know."""

    model_config = ConfigDict(frozen=True)

    format: Literal["sightline-export"] = "sightline-export"
    version: Literal[1] = 1
    job: Annotated[str, Field(max_length=64)]
    collection: CollectionName
    space: Annotated[str, Field(max_length=256)]
    dimension: Annotated[int, Field(ge=1, le=65_536)]
    fields: Annotated[dict[str, FieldType], Field(max_length=MAX_FIELDS)]
    quantization: Quantization | None = None
    precision: Precision | None = None
    thumbnails: bool
    created_at: datetime
    points: Count = 0
    files: Annotated[tuple[PointsFile, ...], Field(max_length=MAX_FILES)] = ()

    def with_files(self, files: tuple[PointsFile, ...]) -> "ExportManifest":
        """The manifest of so many files."""
        return self.model_copy(update={"files": files, "points": sum(file.points for file in files)})


def read_manifest(path: Path) -> ExportManifest:
    """Read a manifest that may come from anywhere.

    Raises BadRequest with a sentence for one that this version cannot read, and OSError as `open` does.
    """
    with path.open("rb") as file:
        data = file.read(MAX_MANIFEST_BYTES + 1)
    if len(data) > MAX_MANIFEST_BYTES:
        raise BadRequest(f"{path.name} has more than {MAX_MANIFEST_BYTES} bytes, the limit.")
    return parse_manifest(data)


def parse_manifest(data: bytes) -> ExportManifest:
    """A manifest from its bytes; raises BadRequest as `read_manifest` does."""
    try:
        manifest = ExportManifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise BadRequest(
            f"{MANIFEST} is not one that this version of Sightline reads ({place}: {first['msg']})."
        ) from error
    if len({file.name for file in manifest.files}) < len(manifest.files):
        raise BadRequest(f"{MANIFEST} names a file twice.")
    if sum(file.points for file in manifest.files) != manifest.points:
        raise BadRequest(f"{MANIFEST} says {manifest.points} points, and its files hold another number.")
    return manifest
