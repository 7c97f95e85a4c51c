"""Places that filters ask for, in degrees (WGS 84)."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_HALF_ROUND_THE_EARTH_M = 20_037_508.0

Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class Circle(BaseModel):
    """All places within a distance of one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lat: Latitude
    lon: Longitude
    radius_m: Annotated[float, Field(gt=0, le=_HALF_ROUND_THE_EARTH_M, description="metres")]


class Area(BaseModel):
    """All places between two latitudes and two longitudes; with `west` > `east` across longitude 180."""

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
