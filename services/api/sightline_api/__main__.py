"""`python -m sightline_api`: serve the gateway."""

import gc
import socket
import sys

import uvicorn

from sightline.errors import SightlineError, Unavailable
from sightline.logs import configure_logging
from sightline.process import end_with_parent
from sightline.settings import read_settings
from sightline.tracing import open_tracer
from sightline_api.app import create_app
from sightline_api.http.binding import check_bind
from sightline_api.http.connections import PatientConnection
from sightline_api.http.start_faults import StartFaults

DRAIN_S = 25
"""At SIGTERM, requests in flight have this long to end: less than what Docker waits before it kills."""


class _Server(uvicorn.Server):
    """uvicorn's server, whose full garbage collections leave out what was there when it began to serve.

    Those are some 170,000 objects of libraries and routes that stay for good, and going over them holds every
    request up for 0.1 s, every few seconds under load.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()


def main() -> int:
    """Serve until SIGTERM; 2 when it cannot start, with the reason on standard error.

    Returns 1 when another start may well succeed: the supervisor of an embedded stack gives up at a 2.
    """
    end_with_parent()
    try:
        settings = read_settings()
        configure_logging(settings.log_level, "api")
        check_bind(settings)
        tracer = open_tracer(settings, "sightline-api")
        app = StartFaults(create_app(settings, tracer))
    except SightlineError as error:
        sys.stderr.write(f"sightline api: {error}\n")
        return 2
    server = _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            http=PatientConnection,
            ws="none",
            timeout_graceful_shutdown=DRAIN_S,
        )
    )
    try:
        server.run()
    except SystemExit:  # It has not started, and uvicorn has logged why.
        return 1 if app.fault is None or isinstance(app.fault, Unavailable) else 2
    finally:
        tracer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
