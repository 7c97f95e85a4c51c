"""Reading the files inside a Qt binary resource collection (.rcc), formats 1 to 3."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = struct.Struct(">4sIIII")
_NODE = struct.Struct(">IHII")
_COMPRESSED = 1
_DIRECTORY = 2


@dataclass(frozen=True)
class _Collection:
    """Offsets of the three tables of a collection; its nodes are `node_bytes` apart."""

    content: bytes
    tree: int
    data: int
    names: int
    node_bytes: int

    def name(self, offset: int) -> str:
        """Names are UTF-16, after their length and a hash."""
        start = self.names + offset
        (length,) = struct.unpack_from(">H", self.content, start)
        return self.content[start + 6 : start + 6 + 2 * length].decode("utf-16-be")

    def blob(self, offset: int, flags: int) -> bytes:
        """Content is behind its length; compressed content is behind its plain length, too."""
        start = self.data + offset
        (length,) = struct.unpack_from(">I", self.content, start)
        blob = self.content[start + 4 : start + 4 + length]
        return zlib.decompress(blob[4:]) if flags & _COMPRESSED else blob

    def files(self, node: int, path: str) -> Iterator[tuple[str, bytes]]:
        """Walk the tree: a directory holds (children, first child), a file (territory, content)."""
        name, flags, first, second = _NODE.unpack_from(self.content, self.tree + node * self.node_bytes)
        here = f"{path}/{self.name(name)}" if node else ""
        if flags & _DIRECTORY:
            for child in range(second, second + first):
                yield from self.files(child, here)
        else:
            yield here, self.blob(second, flags)


def resources(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Paths and contents of all files of a collection; raises ValueError if `content` is not one."""
    magic, version, tree, data, names = _HEADER.unpack_from(content)
    if magic != b"qres" or not 1 <= version <= 3:
        raise ValueError("This is not a Qt resource collection of format 1 to 3.")
    yield from _Collection(content, tree, data, names, 22 if version >= 2 else 14).files(0, "")
