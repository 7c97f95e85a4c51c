"""The one door to a Qdrant server: its collections and their points, over the client's REST interface."""

import warnings
from collections.abc import Sequence
from typing import Self

from qdrant_client import QdrantClient

from sightline.index.placement import Cluster
from sightline.index.server.collections import QdrantCollections
from sightline.index.server.failures import translated
from sightline.index.server.nodes import Nodes
from sightline.index.server.points import QdrantPoints
from sightline.index.server.resending import resending

_ONE_SERVER = Cluster()


class QdrantServer:
    """Qdrant's operations over records. Safe to call from several threads, as the client is."""

    def __init__(self, client: QdrantClient, cluster: Cluster = _ONE_SERVER) -> None:
        """Use a client that the caller has made; `close` closes it."""
        self._client = client
        self.collections = QdrantCollections(client, cluster.placement)
        self.points = QdrantPoints(client, cluster)

    @classmethod
    def at(
        cls,
        url: str,
        *,
        api_key: str | None,
        timeout_s: int,
        patience_s: float = 0.0,
        more_urls: Sequence[str] = (),
        cluster: Cluster = _ONE_SERVER,
    ) -> Self:
        """Use the server at `url`, or the cluster with nodes at `more_urls` too; nothing is connected yet.

        `timeout_s` bounds one answer. A request that fails sooner is sent again for up to `patience_s`
        seconds, and in any case once to each node: all of ours may be repeated without harm.
        """
        with warnings.catch_warnings():
            # Within a deployment's own network there is no TLS.
            warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
            client = QdrantClient(url=url, api_key=api_key, timeout=timeout_s, check_compatibility=False)
        client.http.client.add_middleware(resending(patience_s, Nodes([url, *more_urls])))
        return cls(client, cluster)

    def ping(self) -> None:
        """Return when the server answers."""
        with translated():
            self._client.get_collections()

    def close(self) -> None:
        """Close the client."""
        self._client.close()
