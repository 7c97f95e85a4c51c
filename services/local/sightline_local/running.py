"""Running the embedded stack: everything checked first, everything stopped at the end."""

import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import structlog
from rich.console import Console

from sightline.errors import SettingsError, SightlineError
from sightline.settings import Settings
from sightline_api.http.binding import check_bind
from sightline_local.client import ApiClient
from sightline_local.commands.index import start_jobs
from sightline_local.commands.job_progress import follow_jobs
from sightline_local.data_folder import open_data_folder
from sightline_local.errors import StartError
from sightline_local.model_choice import choose_model
from sightline_local.stack import base_url, build_stack
from sightline_local.supervisor import Supervisor

_log = structlog.get_logger(__name__)

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run_stack(settings: Settings, data: Path, photos: list[Path]) -> None:
    """Start the stack, index `photos`, and keep it running; raises StartError with a sentence."""
    with new_stack(settings, data, photos) as stack:
        for number in _STOP_SIGNALS:
            # Not in the handler itself: it may interrupt this very thread inside the event's lock.
            signal.signal(number, lambda *_: Thread(target=stack.stopping.set).start())
        stack.start()
        if stack.stopping.is_set():
            return
        url = base_url(settings.host, settings.port)
        Console(stderr=True).print(f"Sightline is ready on [bold]{url}[/bold] (ctrl-C stops it)")
        if photos:
            Thread(target=_index, args=(url, settings, photos), daemon=True).start()
        stack.watch()


@contextmanager
def new_stack(settings: Settings, data: Path, photos: Sequence[Path]) -> Iterator[Supervisor]:
    """The stack, to be started; stopped at the end, which no signal cuts short. `photos` become import roots.

    Raises StartError with a sentence.
    """
    if settings.redis_url or settings.qdrant_url:
        raise SettingsError(
            "An embedded stack brings its own Redis and index. Unset SIGHTLINE_REDIS_URL and "
            "SIGHTLINE_QDRANT_URL, or start the services themselves."
        )
    check_bind(settings)
    check_port(settings.host, settings.port)
    with open_data_folder(data) as folder:
        artifact = choose_model(settings.model, folder.models)
        stack = build_stack(folder, artifact, settings, [*settings.import_roots, *photos])
        try:
            yield stack
        finally:
            with _signals_ignored():
                stack.stop()


@contextmanager
def _signals_ignored() -> Iterator[None]:
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _index(url: str, settings: Settings, photos: list[Path]) -> None:
    key = settings.api_key.get_secret_value() if settings.api_key else None
    api = ApiClient(url, key)
    try:
        jobs = [job for path in photos for job in start_jobs(api, path, [], None)]
        follow_jobs(api, [job["id"] for job in jobs])
    except SightlineError as error:
        sys.stderr.write(f"sightline: {error}\n")


def check_port(host: str, port: int) -> None:
    """Say that the port is taken before anything is started; raises StartError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                # As the gateway listens: who has the port in IPv4 is no hindrance.
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((host, port))
    except OSError as error:
        raise StartError(
            f"Port {port} on {host} cannot be used: {error.strerror}. Choose another with --port."
        ) from error
