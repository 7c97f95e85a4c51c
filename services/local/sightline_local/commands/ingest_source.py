"""What an argument of `sightline index` names, when it is neither a folder nor a picture's file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sightline_local.client import ApiClient, ApiFailure

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_MANIFESTS = (".csv", ".jsonl", ".parquet")
_BUCKETS = ("s3", "gs", "az", "abfs")
_WEB = ("http", "https")


def source_of(argument: str) -> dict[str, Any] | None:
    """The body of a source: a bucket, or an archive, manifest or picture at a URL, or a local archive
    or manifest. None for all else: folders and pictures of this machine.
    """
    scheme = argument.partition("://")[0].lower() if "://" in argument else ""
    if scheme in _BUCKETS:
        kind = _file_kind(argument)
        return {"kind": kind or "bucket", "url": argument}
    if scheme in _WEB:
        kind = _file_kind(urlsplit(argument).path)
        return {"kind": kind, "url": argument} if kind else {"kind": "urls", "items": [{"url": argument}]}
    path, kind = Path(argument), _file_kind(argument)
    return {"kind": kind, "path": str(path.resolve())} if kind and path.is_file() else None


def start_source(api: ApiClient, source: dict[str, Any], tags: Sequence[str], collection: str | None) -> Any:
    """The job of a source of `source_of`; raises ApiFailure, for a file of this machine with what to do."""
    body = {"source": source, "tags": list(tags), "collection": collection}
    try:
        return api.post("/v1/ingest", body)
    except ApiFailure as error:
        if "path" not in source or error.code not in ("path_not_allowed", "file_not_found"):
            raise
        detail = (
            f"The API cannot read {source['path']}. Put it into a folder that it may import from, or name "
            f"its folder in the API's SIGHTLINE_IMPORT_ROOTS."
        )
        if source["kind"] == "archive":
            detail += " Or unpack it, and index the folder: its pictures are uploaded then."
        raise ApiFailure(error.code, detail) from error


def _file_kind(name: str) -> str | None:
    """`archive` or `manifest`, by the suffix."""
    lower = name.lower()
    if lower.endswith(_ARCHIVES):
        return "archive"
    return "manifest" if lower.endswith(_MANIFESTS) else None
