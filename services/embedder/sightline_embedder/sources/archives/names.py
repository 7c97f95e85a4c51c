"""Names of members: what they may be, and what they say about the content."""

import re
from urllib.parse import quote

from sightline_embedder.sources.folder import LISTED_SUFFIXES

SIDECAR_EXTENSIONS = frozenset({"json", "txt", "cls"})
_MAX_LENGTH = 4096
_SHOWN_LENGTH = 160
_DRIVE = re.compile("[A-Za-z]:")


def name_fault(name: str) -> str | None:
    """Why a name could lead elsewhere if anybody made a path of it; None if it could not.

    We make none, but whoever hides such names in an archive is not to be trusted with the content.
    """
    if not name:
        return "has no name"
    if len(name) > _MAX_LENGTH:
        return f"has a name of more than {_MAX_LENGTH:,} characters"
    if "\0" in name:
        return "has a NUL in its name"
    if "\\" in name:
        return "has a backslash in its name"
    if name.startswith("/"):
        return "has an absolute path"
    if _DRIVE.match(name):
        return "has a path with the letter of a drive"
    if ".." in name and ".." in name.split("/"):
        return "has a path with '..'"
    return None


def is_hidden(name: str) -> bool:
    """Whether a part of the path begins with a dot, or is where macOS keeps what is no file of anybody."""
    return any(part == "__MACOSX" or (part[:1] == "." and part != ".") for part in name.split("/"))


def is_picture(name: str) -> bool:
    """Whether the suffix is one that pictures have."""
    _, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return bool(dot) and f".{suffix.lower()}" in LISTED_SUFFIXES


def sample_key(name: str) -> str:
    """What members of one WebDataset sample share: the path up to the first dot of its last part."""
    folder, slash, base = name.rpartition("/")
    return f"{folder}{slash}{base.partition('.')[0]}"


def extension(name: str) -> str:
    """What follows the first dot of the path's last part, in lower case."""
    return name.rpartition("/")[2].partition(".")[2].lower()


def fragment_of(name: str) -> str:
    """The name as the fragment of a URI, without the './' that tar puts before it.

    Its length is bounded; bytes that are not UTF-8 are kept.
    """
    return quote(name.removeprefix("./")[:_MAX_LENGTH], safe="/", errors="surrogateescape")


def shown(name: str) -> str:
    """The name in quotes, for a sentence: printable and of bounded length."""
    return repr(name if len(name) <= _SHOWN_LENGTH else f"{name[:_SHOWN_LENGTH]}…")
