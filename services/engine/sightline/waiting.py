"""Waiting at the start for the services that a process needs."""

from collections.abc import Callable, Mapping
from threading import Event

import structlog

from sightline.errors import Unavailable

_log = structlog.get_logger(__name__)

RETRY_S = 0.5
REMIND_S = 30.0
"""A service that stays away is named in the log again after this."""


def await_services(services: Mapping[str, Callable[[], object]], stopping: Event) -> bool:
    """Wait until each service has answered its call; False if `stopping` was set before that.

    A call says by Unavailable that its service does not answer. The log names each service that is
    waited for, and says when it answers.
    """
    return all(_await(name, call, stopping) for name, call in services.items())


def _await(name: str, call: Callable[[], object], stopping: Event) -> bool:
    refusals = 0
    while True:
        try:
            call()
        except Unavailable as error:
            if refusals % round(REMIND_S / RETRY_S) == 0:
                _log.warning("waiting_for_service", waiting_for=name, detail=error.detail)
            refusals += 1
        else:
            if refusals:
                _log.info("service_answers", waited_for=name)
            return True
        if stopping.wait(RETRY_S):
            return False
