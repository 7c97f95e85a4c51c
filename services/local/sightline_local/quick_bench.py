"""Every stage of indexing alone, for a second or two each: what a forecast for this machine is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean

import numpy as np

from sightline.decoder import PictureDecoder, usable_cores
from sightline.encoder.artifact import Artifact
from sightline.encoder.registry import open_encoder
from sightline.payload import indexed_fields
from sightline.settings import Settings
from sightline_local.forecast import StageRates
from sightline_local.index_bench import IndexFigures, measure_index
from sightline_local.index_bytes import PictureCosts
from sightline_local.picture_sample import PictureSample
from sightline_local.stage_bench import (
    BATCH,
    decoded_per_s,
    encoded_per_s,
    text_ms,
    usable_pictures,
)

_MAX_POINTS = 10_000

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How long and on how much to measure."""

    stage_s: float
    search_s: float
    points: int
    pictures: int = 48

    @classmethod
    def lasting(cls, seconds: float) -> "Effort":
        """An effort of about so many seconds in all, once the model is loaded."""
        points = min(_MAX_POINTS, max(BATCH, round(1000 * seconds)))
        return cls(stage_s=seconds / 5, search_s=seconds / 20, points=points)


@dataclass(frozen=True)
class Measured:
    """What was measured, and on what. `skipped` are pictures of the sample that could not be used."""

    model: str
    numerics: str
    cores: int
    pictures: int
    skipped: int
    listed: int
    whole_folder: bool
    bytes_per_picture: float
    rates: StageRates
    text_ms: float
    search_ms: float
    index_points: int
    costs: PictureCosts


def measure(
    artifact: Artifact, sample: PictureSample, settings: Settings, effort: Effort, progress: Progress
) -> Measured:
    """Measure this machine with a model on a sample of pictures.

    Raises BenchError when none of them can be used, ModelError for a model that cannot be loaded,
    and Unavailable when a process cannot be started.
    """
    progress("loading the model")
    encoder = open_encoder(artifact.path, settings)
    preprocessing = artifact.manifest.preprocessing
    with PictureDecoder.of(settings, preprocessing, processes=settings.decode_processes) as decoder:
        decoder.warm()
        progress("decoding")
        usable = usable_pictures(decoder, sample, effort.stage_s)
        decode = decoded_per_s(decoder, usable.files, effort.stage_s)
    progress("encoding")
    encode = encoded_per_s(encoder, effort.stage_s)
    one_text_ms = text_ms(encoder, effort.search_s)
    progress("inserting and searching")
    fields = indexed_fields(settings.metadata_fields)
    index = measure_index(artifact.manifest, fields, effort.points, effort.search_s)
    return Measured(
        model=artifact.manifest.name,
        numerics=encoder.numerics,
        cores=usable_cores(),
        pictures=len(usable.files),
        skipped=usable.skipped,
        listed=sample.listed,
        whole_folder=sample.whole_folder,
        bytes_per_picture=mean(map(len, usable.files)),
        rates=StageRates(decode, encode, index.inserts_per_s),
        text_ms=one_text_ms,
        search_ms=index.search_ms,
        index_points=index.points,
        costs=_costs(index, artifact.manifest.dimension, usable.thumbnail_bytes),
    )


def _costs(index: IndexFigures, dimension: int, thumbnail_bytes: float) -> PictureCosts:
    vector = dimension * np.dtype(np.float32).itemsize
    return PictureCosts(
        dimension=dimension,
        index_empty=index.memory_base,
        memory_beside_vector=max(0.0, index.memory - vector),
        payload_disk=max(0.0, index.disk - vector),
        thumbnail_disk=thumbnail_bytes,
    )
