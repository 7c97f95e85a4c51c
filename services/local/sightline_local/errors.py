"""Errors of the command and the supervisor."""

from sightline.errors import SightlineError


class StartError(SightlineError):
    """The embedded stack cannot start; `str()` says why and what to do."""


class WatchError(SightlineError):
    """A folder cannot be watched; `str()` says why and what to do."""


class BenchError(SightlineError):
    """Nothing can be measured; `str()` says why and what to do."""


class PortabilityError(SightlineError):
    """Data cannot be taken out or in; `str()` says why and what to do."""


class EvaluationError(SightlineError):
    """Judged queries cannot be used; `str()` says which and why."""


class PlanError(SightlineError):
    """Nothing can be planned from what was given; `str()` says why and what to do."""
