"""Places that filters ask for, in degrees (WGS 84)."""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_HALF_ROUND_THE_EARTH_M = 20_037_508.0
_HAIR_DEG = 1e-12
"""A ten-millionth of a metre, and more than what rounding takes off a degree."""

Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class Circle(BaseModel):
    """All places within a distance of one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lat: Latitude
    lon: Longitude
    radius_m: Annotated[float, Field(gt=0, le=_HALF_ROUND_THE_EARTH_M, description="metres")]


class Area(BaseModel):
    """All places between two latitudes and two longitudes, ends included; with `west` > `east` across
    longitude 180, which is also -180."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    south: Latitude
    north: Latitude
    west: Longitude
    east: Longitude

    @model_validator(mode="after")
    def _south_is_south(self) -> Self:
        if self.south > self.north:
            raise ValueError("south lies north of north")
        return self


@dataclass(frozen=True)
class OpenBox:
    """All places between two latitudes and two longitudes, ends left out; `west` > `east` as in an area."""

    south: float
    north: float
    west: float
    east: float


def open_boxes(area: Area) -> tuple[OpenBox, ...]:
    """One or two boxes, which together hold what the area holds, in the form that Qdrant's geo index takes.

    There, ends are left out; cells at latitude 90 and longitude 180 are those at -90 and -180, so that a box
    that ends there ends where it begins; and a box that goes round the earth into the cell it began in is
    that cell alone. A place at a pole itself is in no box.
    """
    width = area.east - area.west
    width += 360 if width < 0 else 0
    middle = _on_earth(area.west + width / 2)
    spans = [(area.west, area.east)] if width <= 180 else [(area.west, middle), (middle, area.east)]
    south = max(-90.0, min(area.south, 90 - _HAIR_DEG) - _HAIR_DEG)
    north = min(area.north + _HAIR_DEG, 90 - _HAIR_DEG)
    return tuple(
        OpenBox(south, north, _on_earth(west - _HAIR_DEG), _on_earth(east + _HAIR_DEG))
        for west, east in spans
    )


def _on_earth(longitude: float) -> float:
    if longitude > 180:
        return longitude - 360
    return longitude + 360 if longitude < -180 else longitude
