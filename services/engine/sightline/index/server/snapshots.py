"""Snapshots of collections on a Qdrant server: made, fetched, and put back, over its REST interface."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import urllib3

from sightline.errors import BackupError, Unavailable

_SERVICE = "Qdrant"
_TIMEOUT = urllib3.Timeout(connect=5.0, read=3600.0)
"""A snapshot of millions of points takes a while, and so does putting it back."""
_PIECE_BYTES = 1 << 20
_ABSENT: Final = object()


class QdrantSnapshots:
    """Snapshots on one server that is no cluster: there each node has snapshots of its own shards.

    Every method raises Unavailable when the server does not answer, and BackupError for what it refuses.
    """

    def __init__(self, url: str, api_key: str | None) -> None:
        """Use the server at `url`; nothing is connected yet."""
        self._url = url.rstrip("/")
        self._http = urllib3.PoolManager(
            headers={"api-key": api_key} if api_key else {}, timeout=_TIMEOUT, retries=False
        )

    def require_one_node(self) -> None:
        """Raise BackupError for a cluster."""
        cluster = self._json("GET", "/cluster", absent={})
        if len(cluster.get("peers", {})) > 1:
            raise BackupError(
                f"The Qdrant server at {self._url} is one of {len(cluster['peers'])} nodes, and each has "
                f"snapshots of its own shards alone; these commands gather none. See docs/backup.md."
            )

    def take(self, collection: str, file: Path) -> bool:
        """Have a snapshot made, fetch it into a new file, and have it deleted on the server.

        False, and no file, where the collection has been dropped. Raises OSError too, as disks do.
        """
        try:
            self._take(collection, file)
        except BackupError:
            # Where it is the snapshot that is missing, the backup would lack a collection that is there.
            if self._is_there(collection):
                raise
            file.unlink(missing_ok=True)
            return False
        return True

    def _take(self, collection: str, file: Path) -> None:
        made = self._json("POST", f"/collections/{quote(collection)}/snapshots?wait=true")
        where = f"/collections/{quote(collection)}/snapshots/{quote(made['name'])}"
        try:
            digest = self._fetch(where, file)
        finally:
            self._json("DELETE", f"{where}?wait=true")
        if made.get("checksum") not in (None, digest):
            raise BackupError(f"The snapshot of '{collection}' came damaged. Take the backup again.")

    def _is_there(self, collection: str) -> bool:
        return self._json("GET", f"/collections/{quote(collection)}", absent=_ABSENT) is not _ABSENT

    def put_back(self, collection: str, file: Path) -> None:
        """Make a collection of a snapshot; one of that name would be replaced."""
        boundary = uuid4().hex
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="snapshot"; filename="snapshot"\r\n'
            f"Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + file.stat().st_size + len(tail)),
        }
        path = f"/collections/{quote(collection)}/snapshots/upload?priority=snapshot&wait=true"
        self._json("POST", path, body=_pieces(head, file, tail), headers=headers)

    def aliases(self) -> dict[str, str]:
        """The collection that each alias stands for."""
        found = self._json("GET", "/aliases", absent={"aliases": []})
        return {one["alias_name"]: one["collection_name"] for one in found["aliases"]}

    def set_aliases(self, aliases: dict[str, str]) -> None:
        """Have aliases stand for collections."""
        actions = [
            {"create_alias": {"alias_name": alias, "collection_name": name}}
            for alias, name in aliases.items()
        ]
        if actions:
            headers = {"Content-Type": "application/json"}
            body = json.dumps({"actions": actions}).encode()
            self._json("POST", "/collections/aliases", body=body, headers=headers)

    def _fetch(self, path: str, file: Path) -> str:
        digest = hashlib.sha256()
        try:
            with file.open("xb") as out:
                response = self._http.request("GET", self._url + path, preload_content=False)
                try:
                    if response.status != 200:
                        raise _refused(path, response.status, response.read())
                    for piece in response.stream(_PIECE_BYTES):
                        digest.update(piece)
                        out.write(piece)
                finally:
                    # Unread, where the disk is full: nothing else may come over this connection.
                    response.close()
                out.flush()
                os.fsync(out.fileno())
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(_SERVICE, str(error)) from error
        return digest.hexdigest()

    def _json(self, method: str, path: str, absent: Any = None, **options: Any) -> Any:
        headers = {**self._http.headers, **options.pop("headers", {})}
        try:
            response = self._http.request(method, self._url + path, headers=headers, **options)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(_SERVICE, str(error)) from error
        if response.status == 404 and absent is not None:
            return absent
        if not 200 <= response.status < 300:
            raise _refused(path, response.status, response.data)
        try:
            return response.json()["result"]
        except (ValueError, LookupError, TypeError) as error:
            raise Unavailable(_SERVICE, f"something else answers at {self._url}") from error


def _refused(path: str, status: int, said: bytes) -> BackupError:
    return BackupError(f"Qdrant answered {path} with {status}: {said[:300].decode(errors='replace')}")


def _pieces(head: bytes, file: Path, tail: bytes) -> Iterator[bytes]:
    yield head
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            yield piece
    yield tail
