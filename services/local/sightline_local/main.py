"""The `sightline` command. Heavy parts are imported only by the commands that need them."""

import signal
import sys
from types import FrameType

import typer

from sightline.errors import SightlineError
from sightline_local.commands import (
    backup,
    bench,
    classify,
    demo,
    doctor,
    duplicates,
    evaluate,
    facets,
    index,
    jobs,
    keys,
    migrate,
    model,
    plan,
    portability,
    search,
    up,
)

app = typer.Typer(
    name="sightline",
    help="Search your pictures by words, by another picture, or by likeness.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("index")(index.index)
app.command("search")(search.search)
app.command("similar")(search.similar)
app.command("classify")(classify.classify)
app.command("facets")(facets.facets)
app.command("duplicates")(duplicates.duplicates)
app.command("jobs")(jobs.jobs)
app.command("export")(portability.export)
app.command("import")(portability.import_)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("move")(backup.move)
app.command("doctor")(doctor.doctor)
app.command("eval")(evaluate.evaluate)
app.command("bench")(bench.bench)
app.command("plan")(plan.plan)
app.command("demo")(demo.demo)
app.add_typer(keys.app, name="keys")
app.add_typer(migrate.app, name="migrate")
app.add_typer(model.app, name="model")


def main() -> None:
    """Run the command; 2 with one sentence on standard error for what could not be done.

    SIGTERM ends it as ctrl-C does, with what it has started: their statuses are 143 and 130.
    """
    signal.signal(signal.SIGTERM, _end)
    try:
        app()
    except SightlineError as error:
        _fail(str(error))
    except OSError as error:
        # Of a file that was named, or of the one that the output goes to.
        said = error.strerror or str(error)
        _fail(f"{said}." if error.filename is None else f"{error.filename}: {said}.")


def _fail(sentence: str) -> None:
    sys.stderr.write(f"sightline: {sentence}\n")
    sys.exit(2)


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
