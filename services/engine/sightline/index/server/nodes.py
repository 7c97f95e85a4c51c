"""Several addresses of one Qdrant cluster: who is asked, and who next when that node is gone."""

import random
import time
from collections.abc import Sequence
from threading import Lock
from urllib.parse import urlsplit

import httpx

SHUNNED_S = 10.0
"""A node that failed is asked last for so long."""
CONNECT_S = 1.0
"""A machine that is gone refuses nothing: its node would cost the wait for an answer, and two of them more
than a readiness check has."""
_PORT = 6333


class Nodes:
    """The addresses of a cluster's nodes, each as good as the others. Safe to use from several threads.

    Processes start with different nodes, so that these share the load, and then stay with one. Addresses
    differ in scheme, host and port alone.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        """At least one address, as `http://qdrant-1:6333`."""
        self._nodes = [urlsplit(url) for url in urls]
        random.shuffle(self._nodes)
        self._shunned_until = [0.0] * len(self._nodes)
        self._lock = Lock()

    def in_turn(self) -> Sequence[int]:
        """The numbers of all nodes: those that did not fail lately first."""
        now = time.monotonic()
        with self._lock:
            return sorted(range(len(self._nodes)), key=lambda node: (self._shunned_until[node] > now, node))

    def failed(self, node: int) -> None:
        """Have a node be asked last for a while."""
        with self._lock:
            self._shunned_until[node] = time.monotonic() + SHUNNED_S

    def direct(self, request: httpx.Request, node: int) -> None:
        """Address a request to a node, and where there are others, let it connect soon or not at all."""
        if len(self._nodes) == 1:
            return
        url = self._nodes[node]
        request.url = request.url.copy_with(scheme=url.scheme, host=url.hostname, port=url.port or _PORT)
        request.headers["Host"] = request.url.netloc.decode()
        request.extensions["timeout"] = request.extensions.get("timeout", {}) | {"connect": CONNECT_S}
