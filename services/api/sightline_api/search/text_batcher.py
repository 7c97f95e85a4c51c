"""Texts of requests that come at the same time are encoded in one call."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline_api.http.overload import overloaded

MOST_AT_ONCE = 16
MOST_WAITING = 512

EncodeTexts: TypeAlias = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors, float32, shape (n, dimension)."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    text: str
    vector: "Future[NDArray[np.float32]]" = field(default_factory=Future)
    leads: "Future[bool]" = field(default_factory=Future)
    """True when its thread is to encode the next batch, False when another thread has done so."""


class TextBatcher:
    """Encodes texts, together where they wait together. Safe to call from several threads.

    A text that finds the encoder idle is encoded at once, by the thread that asks. Those that come
    meanwhile wait in order; when the encoder is free again the first of them takes the lead and encodes
    all that wait. So nobody waits for a batch to fill, and nobody is overtaken.
    """

    def __init__(self, encode: EncodeTexts) -> None:
        """Batch calls of `encode`, which is never called by two threads at once."""
        self._encode = encode
        self._waiting: deque[_Waiting] = deque()
        self._busy = False
        self._lock = Lock()

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """The vectors of texts, shape (dimension,) each; raises ApiError (429) if too many wait already."""
        requests = self._enqueue(texts)
        for request in requests:
            if request.leads.result():
                self._lead()
        return [request.vector.result() for request in requests]

    def _enqueue(self, texts: Sequence[str]) -> list[_Waiting]:
        requests = [_Waiting(text) for text in texts]
        with self._lock:
            if self._waiting and len(self._waiting) + len(requests) > MOST_WAITING:
                raise overloaded(f"{len(self._waiting)} texts wait to be encoded.")
            self._waiting.extend(requests)
            if requests and not self._busy:
                self._busy = True
                requests[0].leads.set_result(True)
        return requests

    def _lead(self) -> None:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(MOST_AT_ONCE, len(self._waiting)))]
        try:
            self._encode_batch(batch)
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting[0].leads.set_result(True)
                else:
                    self._busy = False
            for request in batch[1:]:
                request.leads.set_result(False)

    def _encode_batch(self, batch: Sequence[_Waiting]) -> None:
        texts = list(dict.fromkeys(request.text for request in batch))
        try:
            vectors = dict(zip(texts, self._encode(texts), strict=True))
        except Exception as error:
            if len(batch) == 1:
                batch[0].vector.set_exception(error)
                return
            # One text must not cost the others their answer.
            for request in batch:
                self._encode_batch([request])
            return
        for request in batch:
            # A copy, because a row would keep the whole batch in memory for as long as it is remembered.
            request.vector.set_result(vectors[request.text].copy())
