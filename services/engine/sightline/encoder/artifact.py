"""What a model is on disk: a folder with two towers, a tokenizer, a manifest and golden vectors."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sightline.encoder.calibration import Calibration
from sightline.encoder.golden import Golden, GoldenTexts
from sightline.errors import ModelError
from sightline.identity import sha256_of_file
from sightline.settings import Precision

MANIFEST = "manifest.json"
IMAGE_TOWER = "image.xml"
INT8_IMAGE_TOWER = "image-int8.xml"
TEXT_TOWER = "text.xml"
TOKENIZER = "tokenizer.json"
GOLDEN = "golden.npz"
FILES = (IMAGE_TOWER, "image.bin", TEXT_TOWER, "text.bin", TOKENIZER, GOLDEN)
"""What every artifact has."""
VOCABULARY = "vocabulary.npy"
"""What one has beside, if its build knew words: their vectors."""
INT8_FILES = (INT8_IMAGE_TOWER, "image-int8.bin")
"""What one has beside, if int8 was asked for when it was built."""
MULTILINGUAL_TOWER = "multilingual.xml"
MULTILINGUAL_TOKENIZER = "multilingual-tokenizer.json"
MULTILINGUAL_GOLDEN = "multilingual-golden.npz"
MULTILINGUAL_FILES = (
    MULTILINGUAL_TOWER,
    "multilingual.bin",
    MULTILINGUAL_TOKENIZER,
    MULTILINGUAL_GOLDEN,
)
"""What one has beside, if it was given a text tower for other languages."""


Prompt = Annotated[str, Field(pattern=r"^[^{}]*\{\}[^{}]*$", description="one `{}` where the text goes")]


class View(StrEnum):
    """How a picture is fitted into the square that the image tower sees."""

    CENTER_CROP = "center_crop"
    """Short side to the size, then the middle square."""
    STRETCH = "stretch"
    """Both sides to the size, aspect ratio not kept."""
    LETTERBOX = "letterbox"
    """Long side to the size, the rest white."""


class Preprocessing(BaseModel):
    """From an upright sRGB picture to the tower's input; `mean` and `std` are applied in the graph."""

    model_config = ConfigDict(frozen=True)

    size: Annotated[int, Field(ge=1, description="side of the square, pixels")]
    views: Annotated[tuple[View, ...], Field(min_length=1)]
    resample: Literal["bilinear", "bicubic", "lanczos"]
    mean: Annotated[tuple[float, float, float], Field(description="of RGB scaled to 0..1")]
    std: Annotated[tuple[float, float, float], Field(description="of RGB scaled to 0..1")]


class TextHandling(BaseModel):
    """How texts become token ids; `prompt` has one `{}` where the text goes."""

    model_config = ConfigDict(frozen=True)

    context_tokens: Annotated[int, Field(ge=1)]
    padding: Literal["longest", "max_length"]
    padding_side: Literal["left", "right"] = "right"
    pad_id: Annotated[int, Field(ge=0)]
    prompt: Prompt = "{}"


class Int8Checks(BaseModel):
    """How near the image tower in int8 comes to f32, on `pictures` real ones that it was not calibrated on.

    `cosine_p1` is the 1st percentile, `overlap_at_10` the mean share of a picture's ten nearest others that
    stay the same. `trained`: whether the weights are known to be trained ones; of random weights the other
    figures say nothing. `golden_cosine` is the lowest over the golden pictures.
    """

    model_config = ConfigDict(frozen=True)

    pictures: int
    trained: bool
    cosine_p1: float
    overlap_at_10: float
    golden_cosine: float


class Checks(BaseModel):
    """What was measured against the reference when the artifact was built: lowest cosines over the
    golden pictures and texts, and the mean absolute difference of normalised pixel values (None where
    the reference has no processor, or the building CPU no bf16)."""

    model_config = ConfigDict(frozen=True)

    image_cosine_f32: float
    text_cosine_f32: float
    image_cosine_bf16: float | None = None
    text_cosine_bf16: float | None = None
    pixel_difference: float | None = None
    int8: Int8Checks | None = None


class Multilingual(BaseModel):
    """A second text tower, for texts in other languages than English, into the same space.

    `agreement` is the share of English words that both towers put at the same place: of the first tower's
    words, the nearest is the word itself.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    text: TextHandling
    agreement: float


class FileRecord(BaseModel):
    """Size and SHA-256 of one file of the artifact."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """The manifest of an artifact."""

    model_config = ConfigDict(frozen=True)

    name: str
    revision: str
    family: Annotated[str, Field(description="architecture, as `clip`, `siglip2`, `starter`")]
    space: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*@[0-9a-f]{16}$")]
    dimension: Annotated[int, Field(ge=1)]
    license: str
    source: Annotated[str, Field(description="hub name or folder it was built from")]
    text_source: Annotated[str | None, Field(description="where the text tower comes from, if elsewhere")] = (
        None
    )
    preprocessing: Preprocessing
    text: TextHandling
    logit_scale: Annotated[
        float, Field(gt=0, description="what cosines are multiplied with to be logits of a softmax")
    ] = 100.0
    calibration: Calibration | None = None
    multilingual: Multilingual | None = None
    prompts: Annotated[
        tuple[Prompt, ...], Field(description="what queries are put into and averaged over, beside the space")
    ] = ()
    checks: Checks
    precisions: Annotated[tuple[Precision, ...], Field(min_length=1)]
    default_precision: Precision
    files: dict[str, FileRecord]

    @property
    def context_tokens(self) -> int:
        """The number of tokens the text tower sees, its special ones included."""
        return self.text.context_tokens


@dataclass(frozen=True)
class Artifact:
    """A model on disk whose manifest was read and whose files are there."""

    path: Path
    manifest: Manifest

    def golden(self) -> Golden:
        """Read the golden inputs and vectors; raises ModelError if they cannot be read."""
        return Golden.read(self.path / GOLDEN)

    def multilingual_golden(self) -> GoldenTexts:
        """Read those of the second text tower; raises ModelError if they cannot be read."""
        return GoldenTexts.read(self.path / MULTILINGUAL_GOLDEN)

    def vocabulary(self) -> NDArray[np.float32]:
        """The unit vectors of ordinary words, float32, shape (n, dimension), n being 0 if it has none.

        Raises ModelError if they cannot be read.
        """
        if VOCABULARY not in self.manifest.files:
            return np.empty((0, self.manifest.dimension), dtype=np.float32)
        path = self.path / VOCABULARY
        try:
            vectors = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ModelError(
                f"The words in {path} cannot be read: {error}. Build the artifact again."
            ) from error
        if vectors.ndim != 2 or vectors.shape[1] != self.manifest.dimension:
            raise ModelError(f"The words in {path} are of another model. Build the artifact again.")
        found: NDArray[np.float32] = vectors.astype(np.float32)
        return found


def open_artifact(path: Path) -> Artifact:
    """Read the manifest and check that every file is there with its recorded size.

    Cheap enough for every start; `check_hashes` reads the content. Raises ModelError.
    """
    try:
        manifest = Manifest.model_validate_json((path / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelError(
            f"There is no model artifact in {path} (no {MANIFEST}). Build one with `sightline model build`."
        ) from error
    except OSError as error:
        raise ModelError(f"{path / MANIFEST} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise ModelError(
            f"The manifest of the model artifact in {path} is not one this version can read "
            f"({error.error_count()} faults, the first: {error.errors()[0]['msg']}). "
            f"Build the artifact again."
        ) from error
    for name in dict.fromkeys((*FILES, *manifest.files)):
        _check_size(path / name, manifest.files.get(name))
    return Artifact(path, manifest)


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Put a manifest into an artifact's folder, in place of an earlier one, whole or not at all."""
    written = path / f".{MANIFEST}"
    written.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    written.replace(path / MANIFEST)


def check_hashes(artifact: Artifact) -> None:
    """Compare every file with its recorded SHA-256; raises ModelError at the first that differs."""
    for name, record in artifact.manifest.files.items():
        if sha256_of_file(artifact.path / name) != record.sha256:
            raise ModelError(
                f"{artifact.path / name} is not the file that was built (its SHA-256 differs). "
                f"Build the artifact again."
            )


def _check_size(file: Path, record: FileRecord | None) -> None:
    if record is None:
        raise ModelError(f"The manifest beside {file} does not record that file. Build the artifact again.")
    size = file.stat().st_size if file.is_file() else None
    if size != record.bytes:
        found = "is missing" if size is None else f"has {size} bytes instead of {record.bytes}"
        raise ModelError(f"{file} {found}. Build the artifact again.")
