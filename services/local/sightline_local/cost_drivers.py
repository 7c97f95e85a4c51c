"""What a plan costs, as quantities; and in money where prices are given, for none are known here."""

from collections.abc import Sequence
from dataclasses import dataclass

from sightline_local.capacity import GB, Plan
from sightline_local.figures import Basis, least_sure


@dataclass(frozen=True)
class Prices:
    """In any currency; None where it was not given."""

    core_hour: float | None = None
    ram_gb_month: float | None = None
    disk_gb_month: float | None = None
    object_gb_month: float | None = None


@dataclass(frozen=True)
class CostDriver:
    """So much of something, once or in each month; `price` for all of it."""

    name: str
    quantity: float
    unit: str
    basis: Basis
    price: float | None = None


def cost_drivers(plan: Plan, prices: Prices) -> Sequence[CostDriver]:
    """The drivers of a plan; originals count as uploaded."""
    objects = plan.thumbnails.value + plan.originals.value
    objects_basis = least_sure(plan.thumbnails.basis, plan.originals.basis)
    ram, disk = plan.ram_in_all, plan.disk_in_all
    work, search = plan.ingest_core_hours, plan.search_core_hours
    return [
        _driver("bringing pictures in, once", work.value, "core-hours", work.basis, prices.core_hour),
        _driver("searches", search.value, "core-hours a month", search.basis, prices.core_hour),
        _driver("RAM of the index", ram.value / GB, "GB-months a month", ram.basis, prices.ram_gb_month),
        _driver("disk of the index", disk.value / GB, "GB-months a month", disk.basis, prices.disk_gb_month),
        _driver(
            "thumbnails and originals",
            objects / GB,
            "GB-months a month",
            objects_basis,
            prices.object_gb_month,
        ),
    ]


def _driver(name: str, quantity: float, unit: str, basis: Basis, each: float | None) -> CostDriver:
    return CostDriver(name, quantity, unit, basis, None if each is None else quantity * each)
