"""What callers name is a collection; its points are in one of its versions, which a migration exchanges.

A name is an alias, in the words of Qdrant: it stands for one version at a time and can be made to stand for
another at once. Versions have names that no collection can have, so that whoever names one means just that.
"""

_SEPARATOR = "."
_FIRST = "1"


def first_version(name: str) -> str:
    """The version that a new collection begins with; the same for all who make it at the same time."""
    return f"{name}{_SEPARATOR}{_FIRST}"


def version_of(name: str, tag: str) -> str:
    """Another version of a collection; `tag` is lower-case letters and digits."""
    return f"{name}{_SEPARATOR}{tag}"


def is_version(name: str) -> bool:
    """Whether this names a version and not a collection."""
    return _SEPARATOR in name


def collection_of(name: str) -> str:
    """The collection that a version is of; a collection's own name stays as it is."""
    return name.partition(_SEPARATOR)[0]
