"""What a model is on disk: a folder with two towers, a tokenizer, a manifest and golden vectors."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict


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

    size: int
    views: tuple[View, ...]
    resample: Literal["bilinear", "bicubic", "lanczos"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Manifest(BaseModel):
    """The manifest of an artifact."""

    model_config = ConfigDict(frozen=True)

    name: str
    revision: str
    space: str
    dimension: int
    preprocessing: Preprocessing
    context_tokens: int
