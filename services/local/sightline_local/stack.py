"""The embedded stack: which processes it has and how each is told where the others are."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from sightline.encoder.artifact import Artifact
from sightline.errors import Unavailable
from sightline.index.edge.client import EdgeClient
from sightline.settings import Settings
from sightline_local.data_folder import DataFolder
from sightline_local.redis_child import RedisChild
from sightline_local.supervisor import Child, Supervisor

_PROBE_TIMEOUT_S = 2.0
_INDEX_PATIENCE_S = 30.0
"""An index whose stack was killed flushes before it ends, and the next stack may be started meanwhile."""
EMBEDDER_NICENESS = 19
"""People wait for searches, and nobody for the next picture: the embedder takes what the others leave.

Encoding a text waits for the slower of its threads, so that even the tenth of a core which niceness 10 may
take beside it showed: among 400 clients searches took a fifth longer than at 19.
"""


def build_stack(
    folder: DataFolder, artifact: Artifact, settings: Settings, import_roots: Sequence[Path]
) -> Supervisor:
    """A supervisor over Redis, the index process, an embedder and the gateway, not started yet."""
    redis = RedisChild(folder)
    socket = folder.index_socket
    environment = {
        "SIGHTLINE_DATA_DIR": str(folder.root),
        "SIGHTLINE_REDIS_URL": redis.url,
        "SIGHTLINE_INDEX_SOCKET": str(socket),
        "SIGHTLINE_MODEL": str(artifact.path),
        "SIGHTLINE_MODELS_DIR": str((settings.models_dir or folder.models).resolve()),
        "SIGHTLINE_IMPORT_ROOTS": _json_list(import_roots),
        "SIGHTLINE_LOG_LEVEL": settings.log_level,
        "SIGHTLINE_HOST": settings.host,
        "SIGHTLINE_PORT": str(settings.port),
        # Whoever serves an address asks for it, and the look whether it is served does so first.
        "SIGHTLINE_ALLOWED_HOSTS": json.dumps([*settings.allowed_hosts, _reachable(settings.host)]),
        # OpenMP and OpenBLAS of libraries we do not tune would take every core beside OpenVINO.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    return Supervisor(
        redis,
        [
            Child(
                name="index",
                module="sightline.index.edge.process",
                arguments=[
                    *("--folder", str(folder.index), "--socket", str(socket)),
                    *("--patience", f"{_INDEX_PATIENCE_S:g}"),
                ],
                environment=environment,
                ready=_index_answers(socket),
            ),
            Child(
                name="embedder",
                module="sightline_embedder",
                environment={**environment, "SIGHTLINE_SOLE_EMBEDDER": "true"},
                ready=lambda: True,
                niceness=EMBEDDER_NICENESS,
            ),
            Child(
                name="api",
                module="sightline_api",
                environment=environment,
                ready=_answers(settings.host, settings.port),
            ),
        ],
    )


def base_url(host: str, port: int) -> str:
    """Where this machine reaches a server bound to `host`."""
    return f"http://{_reachable(host)}:{port}"


def _reachable(host: str) -> str:
    """The host of an address at which this machine reaches a server bound to `host`."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{address}]" if ":" in address else address


def _index_answers(socket: Path) -> Callable[[], bool]:
    index = EdgeClient(socket, patience_s=_PROBE_TIMEOUT_S)

    def ready() -> bool:
        try:
            index.ping()
        except Unavailable:
            return False
        return True

    return ready


def _answers(host: str, port: int) -> Callable[[], bool]:
    # One client for all looks: each of its own would read the system's certificates, for 50 ms of a core.
    probe = httpx.Client(base_url=base_url(host, port), timeout=_PROBE_TIMEOUT_S)

    def ready() -> bool:
        try:
            return probe.get("/readyz").is_success
        except httpx.TransportError:
            return False

    return ready


def _json_list(paths: Sequence[Path]) -> str:
    return json.dumps([os.fspath(path.resolve()) for path in paths])
