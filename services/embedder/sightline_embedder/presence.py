"""An embedder's signs of life, for the gateway to show: who works, where, since when, and how far it got."""

import os
import secrets
import socket
from datetime import UTC, datetime

import structlog

from sightline.errors import Unavailable
from sightline.queue.embedders import Embedders, SignOfLife
from sightline_embedder.progress import Progress

_log = structlog.get_logger(__name__)


class Presence:
    """Tells Redis that this embedder takes messages. Its methods may be called from several threads."""

    def __init__(self, embedders: Embedders, progress: Progress) -> None:
        self._embedders = embedders
        self._progress = progress
        self._host = socket.gethostname()
        self._id = f"{self._host}-{os.getpid()}-{secrets.token_hex(2)}"
        self._since = datetime.now(UTC)
        self._batches = 0

    def beat(self) -> None:
        """Say that it is alive; who does not hear it will know by that."""
        last_progress = self._progress.at
        sign = SignOfLife(
            id=self._id,
            host=self._host,
            since=self._since,
            at=datetime.now(UTC),
            batches=self._batches,
            last_progress=datetime.fromtimestamp(last_progress, UTC) if last_progress else None,
            fault=self._progress.fault,
        )
        try:
            self._embedders.announce(sign)
        except Unavailable as error:
            _log.debug("sign_of_life_not_heard", detail=error.detail)

    def count_batch(self) -> None:
        """A batch was finished, whatever came of it."""
        self._batches += 1

    def leave(self) -> None:
        """Say that it ends."""
        try:
            self._embedders.leave(self._id)
        except Unavailable as error:
            _log.debug("sign_of_life_not_heard", detail=error.detail)
