"""Readiness as the API shows it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field

from sightline.queue.embedders import LiveEmbedder
from sightline_api.readiness.check import Finding, Stops


class Dependency(BaseModel):
    """One thing the service needs; `detail` says what is wrong with it, `remedy` what to do."""

    ready: bool
    stops: Annotated[Stops, Field(description="what does not work without it")]
    detail: str | None = None
    remedy: str | None = None


class Readiness(BaseModel):
    """Whether the service can serve searches, and of each dependency why not.

    `degraded`: something is wrong. Dependencies that are asked by way of one that does not answer are left
    out.
    """

    ready: bool
    degraded: bool
    dependencies: dict[str, Dependency]

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> Self:
        """The resource of what the checks have found."""
        failing = [one for one in findings if one.fault is not None]
        return cls(
            ready=all(one.check.stops is not Stops.SEARCH for one in failing),
            degraded=bool(failing),
            dependencies={one.check.name: _dependency(one) for one in findings},
        )


class EmbedderResource(BaseModel):
    """An embedder that is alive.

    `last_progress` is when it last took or finished a message, or a download went on.
    """

    id: str
    host: str
    since: datetime
    batches: Annotated[int, Field(description="finished since it was started")]
    last_progress: datetime | None

    @classmethod
    def of(cls, embedder: LiveEmbedder) -> Self:
        """The resource of an embedder."""
        return cls(**embedder.sign.model_dump(exclude={"at"}))


def _dependency(finding: Finding) -> Dependency:
    check, fault = finding.check, finding.fault
    remedy = check.remedy if fault is not None else None
    return Dependency(ready=fault is None, stops=check.stops, detail=fault, remedy=remedy)
