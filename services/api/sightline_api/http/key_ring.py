"""The keys as this gateway knows them: read from Redis, and believed for two seconds."""

from collections.abc import Mapping
from time import monotonic

import anyio
import anyio.to_thread
import structlog

from sightline.errors import Unavailable
from sightline.queue.keys import Key, KeyStore

FRESH_S = 2.0
"""A key that was made or revoked at another gateway is good, or no more, after this."""
_NOTE_USE_EVERY_S = 60.0

_log = structlog.get_logger(__name__)


class KeyRing:
    """Tells which keys there are. For one event loop; what blocks, it does in threads.

    All keys are read at once, so that made-up ids cost nothing.
    """

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._turn = anyio.Lock()
        self._keys: Mapping[str, Key] = {}
        self._failure: Unavailable | None = None
        self._asked_at = self._read_at = self._changed_at = float("-inf")
        self._noted_at: dict[str, float] = {}

    async def keys(self) -> Mapping[str, Key]:
        """Every key by its id. Raises Unavailable while Redis does not answer.

        A gateway that knew of no key goes on knowing of none then: where nobody needs a key, searches do
        not need Redis.
        """
        if self._is_stale() and not (self._knows_of_none() and self._turn.locked()):
            async with self._turn:
                if self._is_stale():
                    await self._read()
        if self._failure is not None and not self._knows_of_none():
            raise self._failure
        return self._keys

    def forget(self) -> None:
        """Read again before the next answer: keys were changed here."""
        self._changed_at = monotonic()

    async def note_use(self, key: Key) -> None:
        """Have the time of a key's last use recorded, at most once a minute."""
        now = monotonic()
        if now - self._noted_at.get(key.id, -_NOTE_USE_EVERY_S) < _NOTE_USE_EVERY_S:
            return
        self._noted_at[key.id] = now
        try:
            await anyio.to_thread.run_sync(self._store.note_use, key.id)
        except Unavailable as error:
            _log.warning("key_use_not_noted", key_id=key.id, reason=error.detail)

    def _is_stale(self) -> bool:
        return self._asked_at <= self._changed_at or monotonic() - self._asked_at >= FRESH_S

    def _knows_of_none(self) -> bool:
        return not self._keys and self._read_at > self._changed_at

    async def _read(self) -> None:
        begun_at = monotonic()
        try:
            self._keys = await anyio.to_thread.run_sync(self._store.all)
        except Unavailable as error:
            # Counted from now: those who waited for this answer do not each wait for another.
            self._failure, self._asked_at = error, monotonic()
        else:
            self._failure = None
            self._asked_at = self._read_at = begun_at
