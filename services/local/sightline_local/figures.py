"""Figures that say where they come from."""

from dataclasses import dataclass
from enum import StrEnum


class Basis(StrEnum):
    """How much a figure may be relied on, the surest first."""

    GIVEN = "given"
    MEASURED = "measured"
    DOCUMENTED = "documented"
    EXTRAPOLATED = "extrapolated"


_ORDER = list(Basis)


@dataclass(frozen=True)
class Figure:
    """A value with its unit, and what it rests on."""

    value: float
    unit: str
    basis: Basis
    source: str = ""


def least_sure(*bases: Basis) -> Basis:
    """What a figure rests on that was computed from several."""
    return max(bases, key=_ORDER.index)
