"""Judged searches under every combination of model, precision, quantization and candidates."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sightline.encoder import Encoder
from sightline.encoder.artifact import Artifact, open_artifact
from sightline.encoder.registry import open_encoder
from sightline.index.tuning import Tuning
from sightline.pictures import PictureLimits
from sightline.settings import Precision, Quantization, Settings
from sightline_local.captioned_index import COLLECTION, built_index
from sightline_local.captioned_points import CaptionedPoints, encode_captioned
from sightline_local.errors import EvaluationError
from sightline_local.evaluation import Evaluation, evaluate
from sightline_local.index_search import IndexSearch
from sightline_local.judged_queries import JudgedQuery, read_judged_queries

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Grid:
    """What to compare: every combination. An `ef` of None compares with every original vector."""

    models: Sequence[Path]
    precisions: Sequence[Precision]
    quantizations: Sequence[Quantization]
    efs: Sequence[int | None]


@dataclass(frozen=True)
class Configuration:
    """One combination as it ran. `walks_graph` is False where every vector was compared."""

    artifact: Path
    label: str
    """The name of the artifact's folder, or its path where others have the same name."""
    name: str
    space: str
    numerics: str
    quantization: Quantization
    ef: int | None
    walks_graph: bool

    @property
    def precision(self) -> str:
        """The arithmetic of the towers, as `f32`."""
        return self.numerics.rpartition("-")[2]


@dataclass(frozen=True)
class Row:
    """A configuration and what it found."""

    configuration: Configuration
    figures: Evaluation


@dataclass(frozen=True)
class Comparison:
    """A folder of so many pictures, under each configuration. `left_out` has a line for each other file."""

    pictures: int
    left_out: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True)
class _Encoded:
    """A model at one precision, and the pictures of the folder as it sees them."""

    artifact: Artifact
    label: str
    encoder: Encoder
    captioned: CaptionedPoints


def compare(folder: Path, grid: Grid, settings: Settings, progress: Progress = lambda _: None) -> Comparison:
    """Search a folder of captioned pictures by every caption, in a temporary index, for each combination.

    Raises EvaluationError or ModelError with a sentence, before anything is measured where that can be.
    """
    queries = read_judged_queries(folder)
    artifacts = [open_artifact(path) for path in grid.models]
    for artifact in artifacts:
        _check_precisions(artifact, grid.precisions)
    rows: list[Row] = []
    for encoded in _encoded(folder, artifacts, grid.precisions, settings, progress):
        for quantization in grid.quantizations:
            progress(f"{encoded.label} {encoded.encoder.numerics}, {quantization}: building and searching")
            rows += _searched(encoded, quantization, grid.efs, queries)
        seen = encoded.captioned
    return Comparison(len(seen.points), seen.left_out, rows)


def _check_precisions(artifact: Artifact, precisions: Sequence[Precision]) -> None:
    fit = (Precision.AUTO, *artifact.manifest.precisions)
    for precision in precisions:
        if precision not in fit:
            raise EvaluationError(
                f"The artifact in {artifact.path} has no {precision} that was judged fit for the model: "
                f"--precision may be {', '.join(fit)}."
            )


def _encoded(
    folder: Path,
    artifacts: Sequence[Artifact],
    precisions: Sequence[Precision],
    settings: Settings,
    progress: Progress,
) -> Iterator[_Encoded]:
    limits = PictureLimits(settings.max_picture_bytes, settings.max_picture_pixels)
    named = Counter(artifact.path.name for artifact in artifacts)
    for artifact in artifacts:
        label = artifact.path.name if named[artifact.path.name] == 1 else str(artifact.path)
        for precision in precisions:
            progress(f"{label}: loading")
            encoder = open_encoder(artifact.path, settings.model_copy(update={"precision": precision}))
            told = partial(_tell, progress, f"{label} {encoder.numerics}")
            yield _Encoded(artifact, label, encoder, encode_captioned(folder, encoder, limits, told))


def _tell(progress: Progress, of: str, line: str) -> None:
    progress(f"{of}: {line}")


def _searched(
    encoded: _Encoded, asked: Quantization, efs: Sequence[int | None], queries: Sequence[JudgedQuery]
) -> Iterator[Row]:
    manifest, points = encoded.encoder.manifest, encoded.captioned.points
    quantization = Tuning(asked).layout(len(points)).quantization
    with built_index(manifest, points, quantization) as built:
        search = IndexSearch(encoded.artifact, encoded.encoder, built.index, COLLECTION)
        search.answer(queries[0].text, None)  # the first one takes a sample of the collection, too
        for ef in efs:
            configuration = Configuration(
                artifact=encoded.artifact.path,
                label=encoded.label,
                name=manifest.name,
                space=manifest.space,
                numerics=encoded.encoder.numerics,
                quantization=quantization,
                ef=ef,
                walks_graph=built.has_graph and ef is not None,
            )
            yield Row(configuration, evaluate(queries, partial(search.answer, ef=ef)))
