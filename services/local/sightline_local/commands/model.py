"""`sightline model build|calibrate|prompts|info|verify`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sightline.process import end_with_parent
from sightline.settings import Precision
from sightline_local.commands.options import AsJson
from sightline_local.commands.output import print_json, print_table

app = typer.Typer(help="Build, describe and verify model artifacts.", no_args_is_help=True)

ArtifactFolder = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of an artifact.")]


@app.command()
def build(
    source: Annotated[
        str, typer.Argument(metavar="NAME_OR_DIR", help="`starter`, a hub name, or a model's folder.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the artifact.")],
    precision: Annotated[
        Precision, typer.Option(help="`int8` adds an image tower in int8, which takes --pictures.")
    ] = Precision.AUTO,
    pictures: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Photos that int8 is calibrated and judged on."),
    ] = None,
    trained: Annotated[
        bool, typer.Option("--trained", help="The folder's weights are trained ones, as a hub's are.")
    ] = False,
    multilingual: Annotated[
        str | None,
        typer.Option(
            metavar="NAME_OR_DIR",
            help="A second text tower, for other languages than English, of the same space.",
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Convert a model to an artifact and check it against sentence-transformers."""
    from sightline_embedder.models.build import build_artifact
    from sightline_embedder.models.int8 import add_int8
    from sightline_embedder.models.multilingual import add_multilingual

    end_with_parent()  # of `up`, which has a model built that is not there yet
    if precision in (Precision.F32, Precision.BF16):
        raise typer.BadParameter("every artifact has f32 and bf16: choose with SIGHTLINE_PRECISION.")
    if (precision is Precision.INT8) != (pictures is not None):
        raise typer.BadParameter("--precision int8 and --pictures FOLDER go together.")
    console = Console(stderr=True)

    def progress(line: str) -> None:
        console.print(f"  {line}", style="dim")

    artifact = build_artifact(source, out, progress)
    if pictures is not None:
        files = sorted(path for path in pictures.rglob("*") if path.is_file())
        known = trained or not Path(source).is_dir()
        artifact = add_int8(artifact, files, trained=known, progress=progress)
    if multilingual is not None:
        artifact = add_multilingual(artifact, multilingual, progress)
    if json:
        print_json(artifact.manifest.model_dump(mode="json", exclude={"files"}))
    else:
        console.print(f"{artifact.manifest.name}: space {artifact.manifest.space}, in {artifact.path}")


@app.command()
def calibrate(
    folder: ArtifactFolder,
    pictures: Annotated[
        Path,
        typer.Argument(exists=True, file_okay=False, help="Pictures with captions: photo.jpg and photo.txt."),
    ],
    json: AsJson = False,
) -> None:
    """Fit what `relevance` means for a model, on captioned pictures; a service reads it when it starts."""
    from sightline_embedder.models.calibrate import calibrate_artifact

    console = Console(stderr=True)
    calibration = calibrate_artifact(
        folder, pictures, progress=lambda line: console.print(f"  {line}", style="dim")
    ).model_dump(mode="json")
    if json:
        print_json(calibration)
    else:
        print_table(("field", "value"), [(name, str(value)) for name, value in calibration.items()])


@app.command()
def prompts(
    folder: ArtifactFolder,
    prompts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PROMPT]...", help="As '{}' 'a photo of {}'; none: texts as they are."),
    ] = None,
) -> None:
    """Have queries read with several prompts, averaged; a service reads them when it starts."""
    from sightline.encoder.artifact import open_artifact
    from sightline_embedder.models.prompts import set_prompts

    manifest = set_prompts(open_artifact(folder), prompts or ()).manifest
    console = Console(stderr=True)
    console.print(f"{manifest.name}: {len(manifest.prompts)} prompts, in {folder}")
    console.print("Scores mean something else now: calibrate with `sightline model calibrate`.")


@app.command()
def info(folder: ArtifactFolder, json: AsJson = False) -> None:
    """Describe an artifact."""
    from sightline.encoder.artifact import open_artifact

    manifest = open_artifact(folder).manifest.model_dump(mode="json", exclude={"files"})
    if json:
        print_json(manifest)
    else:
        print_table(("field", "value"), [(name, str(value)) for name, value in manifest.items()])


@app.command()
def verify(folder: ArtifactFolder, json: AsJson = False) -> None:
    """Check an artifact's files and vectors anew."""
    from sightline_embedder.models.build import verify_artifact

    console = Console(stderr=True)
    checks = verify_artifact(folder, progress=lambda line: console.print(f"  {line}", style="dim"))
    measured = checks.model_dump(mode="json")
    if json:
        print_json(measured)
    else:
        print_table(("check", "measured"), [(name, str(value)) for name, value in measured.items()])
