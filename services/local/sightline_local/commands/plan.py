"""`sightline plan`: what a collection of any size takes, on machines of any kind."""

from pathlib import Path
from typing import Annotated

import typer

from sightline.settings import Precision, Quantization, read_settings
from sightline_local.commands.options import AsJson
from sightline_local.commands.output import print_json

_MODEL = "clip-ViT-B-32"


def plan(
    pictures: Annotated[int, typer.Argument(metavar="N", min=1, help="How many pictures.")],
    cores: Annotated[int, typer.Option(min=1, help="Cores of one node.")] = 16,
    ram: Annotated[float, typer.Option(help="GB of memory of one node.")] = 64.0,
    disk: Annotated[float, typer.Option(help="GB of disk of one node.")] = 1_000.0,
    model: Annotated[str | None, typer.Option(help=f"Model by name ({_MODEL}).")] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Arithmetic of the towers (auto: bf16).")
    ] = None,
    quantization: Annotated[
        Quantization | None, typer.Option(help="How vectors are compressed (as the settings say).")
    ] = None,
    queries_per_s: Annotated[float, typer.Option(help="Searches a second.")] = 10.0,
    pictures_per_hour: Annotated[
        float | None, typer.Option(help="How fast pictures are to come in (as fast as one node can).")
    ] = None,
    replicas: Annotated[int, typer.Option(min=1, help="Copies of each shard.")] = 1,
    picture_megabytes: Annotated[
        float | None, typer.Option(help="Size of a picture's file (3.8, or as measured).")
    ] = None,
    megapixels: Annotated[float, typer.Option(help="Size of a picture.")] = 12.2,
    measured: Annotated[
        Path | None, typer.Option(help="Figures of a machine of yours: a file of `sightline bench --json`.")
    ] = None,
    price_core_hour: Annotated[float | None, typer.Option(help="Price of a core-hour.")] = None,
    price_ram: Annotated[float | None, typer.Option(help="Price of a GB of memory for a month.")] = None,
    price_disk: Annotated[float | None, typer.Option(help="Price of a GB of disk for a month.")] = None,
    price_objects: Annotated[
        float | None, typer.Option(help="Price of a GB in a bucket for a month.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Plan for N pictures: nodes, memory, disk, cores, hours, and what breaks first. Measures nothing."""
    from sightline.index.tuning import tuning_of
    from sightline_local.breaking_points import breaking_points
    from sightline_local.capacity import Demand, Node, make_plan
    from sightline_local.capacity_report import as_json, print_report
    from sightline_local.cost_drivers import Prices, cost_drivers
    from sightline_local.errors import PlanError
    from sightline_local.measured_costs import costs_from_bench, costs_of

    if measured is not None and (model is not None or precision is not None):
        raise PlanError(
            "--measured says which model was measured, and at which precision; leave --model and --precision "
            "out, or leave --measured out."
        )
    node = Node(cores, ram, disk)
    costs = costs_from_bench(measured) if measured else costs_of(model or _MODEL, precision or Precision.AUTO)
    megabytes = costs.megabytes if picture_megabytes is None else picture_megabytes
    demand = Demand(pictures, queries_per_s, pictures_per_hour, replicas, megapixels, megabytes)
    tuning = tuning_of(read_settings()).of(quantization)
    made = make_plan(demand, node, costs, tuning)
    breaks = breaking_points(demand, node, costs, tuning)
    drivers = cost_drivers(made, Prices(price_core_hour, price_ram, price_disk, price_objects))
    if json:
        print_json(as_json(made, breaks, drivers, costs))
    else:
        print_report(made, breaks, drivers, costs, demand, node)
