"""The index that the settings name."""

from sightline.errors import SettingsError
from sightline.index import VectorIndex
from sightline.settings import Settings


def open_index(settings: Settings) -> VectorIndex:
    """The Qdrant server or the index process that the settings name; nothing is connected yet.

    Raises SettingsError if they name neither.
    """
    # Imported here, because each client is slow to import and a process needs one of them.
    if settings.qdrant_url is not None:
        from sightline.index.server_index import ServerIndex

        key = settings.qdrant_api_key
        return ServerIndex.at(settings.qdrant_url, api_key=None if key is None else key.get_secret_value())
    if settings.index_socket is not None:
        from sightline.index.edge_client import EdgeClient

        return EdgeClient(settings.index_socket)
    raise SettingsError(
        "No index is named. Set SIGHTLINE_QDRANT_URL to the address of a Qdrant server, or run "
        "`sightline up`, which starts an index of its own."
    )
