"""What administrators do, in the log: who did what, by the id of a key and never the key."""

from typing import Any

import structlog

from sightline_api.http.callers import Caller

_log = structlog.get_logger("sightline.audit")


def audit(caller: Caller, action: str, **about: Any) -> None:
    """Log an action, whatever the level of the log."""
    _log.info(action, audit=True, by=caller.id, **about)
