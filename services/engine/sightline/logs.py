"""Structured logs: one line an event, on standard error."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def configure_logging(level: str, service: str) -> None:
    """Set up this process's logs; the standard library's records get the same form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _name_service(service),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderer = structlog.processors.LogfmtRenderer(key_order=["at", "level", "service", "event"])
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Who did what as an administrator is kept whatever else is.
    logging.getLogger("sightline.audit").setLevel(logging.INFO)
    # httpcore and urllib3 would log headers and addresses that carry a signature; botocore, pictures and
    # answers with a session's credentials.
    for talkative in ("boto3", "botocore", "celery", "httpcore", "httpx", "s3transfer", "urllib3"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    # It warns of every message that is given back, which those who give it back have logged.
    logging.getLogger("celery.app.trace").setLevel(logging.ERROR)


def _name_service(service: str) -> structlog.typing.Processor:
    def add(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add
