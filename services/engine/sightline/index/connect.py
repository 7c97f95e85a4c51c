"""The index that the settings name."""

from dataclasses import dataclass

from sightline.errors import SettingsError
from sightline.index import VectorIndex
from sightline.settings import Settings


@dataclass(frozen=True)
class Waits:
    """How long a caller waits: for one answer, and for one that is worth asking again.

    `answer_s` and `patience_s` are of a Qdrant server, `process_answer_s` and `process_patience_s` of an
    index process, which has to be started again where a server has others to take over.
    """

    answer_s: int
    patience_s: float
    process_answer_s: float
    process_patience_s: float


SEARCHING = Waits(answer_s=3, patience_s=0.3, process_answer_s=10.0, process_patience_s=5.0)
"""Somebody is waiting. A search makes up to three calls, of which the first that fails is the last."""
INGESTING = Waits(answer_s=30, patience_s=10.0, process_answer_s=60.0, process_patience_s=15.0)
"""A batch that fails is done again from its start, so a call is worth waiting for."""


def open_index(settings: Settings, waits: Waits = SEARCHING) -> VectorIndex:
    """The Qdrant server or the index process that the settings name; nothing is connected yet.

    Raises SettingsError if they name neither.
    """
    # Imported here, because each client is slow to import and a process needs one of them.
    if settings.qdrant_url is not None:
        from sightline.index.placement import cluster_of
        from sightline.index.server.index import ServerIndex
        from sightline.index.tuning import tuning_of

        key = settings.qdrant_api_key
        return ServerIndex.at(
            settings.qdrant_url,
            api_key=None if key is None else key.get_secret_value(),
            timeout_s=waits.answer_s,
            patience_s=waits.patience_s,
            tuning=tuning_of(settings),
            more_urls=settings.qdrant_more_urls,
            cluster=cluster_of(settings),
        )
    if settings.index_socket is not None:
        from sightline.index.edge.client import EdgeClient

        return EdgeClient(
            settings.index_socket, patience_s=waits.process_patience_s, timeout_s=waits.process_answer_s
        )
    raise SettingsError(
        "No index is named. Set SIGHTLINE_QDRANT_URL to the address of a Qdrant server, or run "
        "`sightline up`, which starts an index of its own."
    )
