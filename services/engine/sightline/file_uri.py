"""File paths as URIs: a path of any bytes survives JSON and comes back the same."""

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes


def uri_of(path: Path) -> str:
    """`file://` URI of an absolute path; bytes that are not UTF-8 are percent-encoded."""
    return path.as_uri()


def is_file_uri(uri: str) -> bool:
    """Whether this names a path that a file can have."""
    try:
        return uri.startswith("file:///") and b"\0" not in _path_bytes(uri)
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def path_of(uri: str) -> Path:
    """The path that `uri_of` was given."""
    return Path(os.fsdecode(_path_bytes(uri)))


def _path_bytes(uri: str) -> bytes:
    return unquote_to_bytes(uri.removeprefix("file://"))
