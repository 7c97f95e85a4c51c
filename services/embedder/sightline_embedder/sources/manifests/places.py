"""Where a manifest is, and what its references are relative to."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

from sightline.buckets.addresses import ObjectAddress, names_object, parse_address
from sightline.errors import BadPicture, BucketUnusable, FailureReason
from sightline.file_uri import path_of, uri_of
from sightline.queue.sources import ManifestSource, SourceKind
from sightline_embedder.errors import SourceError
from sightline_embedder.sources.local_file import open_local_file
from sightline_embedder.sources.manifests.rows import shown
from sightline_embedder.sources.remote_file import RemoteFiles

_MAX_URL_CHARACTERS = 8192
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Reference:
    """A picture that a row names."""

    kind: SourceKind
    uri: str


@dataclass(frozen=True)
class ManifestPlace:
    """A manifest that is opened when it is listed; `open` gives a seekable file with a descriptor.

    `kind` is that of the place itself. `resolve` reads a row's reference; it raises BadPicture for what
    names no picture that could be read.
    """

    kind: SourceKind
    uri: str
    open: Callable[[], AbstractContextManager[BinaryIO]]
    resolve: Callable[[str], Reference]


def manifest_place(source: ManifestSource, roots: Sequence[Path], remote_files: RemoteFiles) -> ManifestPlace:
    """The place that a job names. Opening it raises as `open_local_file` and RemoteFiles do."""
    url = source.url
    if url is None:
        return folder_place(Path(source.path or ""), roots)
    if names_object(url):
        try:
            address = parse_address(url)
        except BucketUnusable as error:
            raise SourceError(error.code, error.detail) from error
        resolve = partial(_resolved, lambda text: _beside_object(address, text))
        return ManifestPlace(SourceKind.BUCKET, address.url, lambda: remote_files(address.url), resolve)
    page = url.partition("#")[0]
    resolve = partial(_resolved, lambda text: _web_reference(urljoin(page, text)))
    return ManifestPlace(SourceKind.URL, page, lambda: remote_files(page), resolve)


def folder_place(path: Path, roots: Sequence[Path]) -> ManifestPlace:
    """The place of a file in a folder; raises SourceError (`path_not_allowed`) for a relative path."""
    if not path.is_absolute():
        raise SourceError("path_not_allowed", f"Manifest '{path}' is not named by an absolute path.")
    resolve = partial(_resolved, lambda text: _file_reference(path.parent, text))
    return ManifestPlace(SourceKind.FOLDER, uri_of(path), lambda: open_local_file(path, roots), resolve)


def _resolved(relative: Callable[[str], Reference], text: str) -> Reference:
    """What `text` names; `relative` reads what has no scheme, or a file's."""
    stripped = text.strip()
    try:
        if names_object(stripped):
            return Reference(SourceKind.BUCKET, parse_address(stripped).url)
        if stripped.lower().startswith(("http://", "https://")):
            return _web_reference(stripped)
        return relative(text)
    except BucketUnusable as error:
        raise BadPicture(FailureReason.ADDRESS_FORBIDDEN, error.detail) from error
    # urljoin and paths raise it for what is no address, and for half of a surrogate pair.
    except ValueError as error:
        raise BadPicture(
            FailureReason.NOT_FOUND, f"{shown(text, _SHOWN_CHARACTERS)} names no picture: {error}."
        ) from error


def _web_reference(url: str) -> Reference:
    if not url.lower().startswith(("http://", "https://")):
        raise _forbidden(url)
    if len(url) > _MAX_URL_CHARACTERS:
        raise BadPicture(
            FailureReason.ADDRESS_FORBIDDEN, f"The URL is longer than {_MAX_URL_CHARACTERS} characters."
        )
    urlsplit(url.encode().decode())  # ValueError for what is no URL, and for half of a surrogate pair.
    return Reference(SourceKind.URL, url)


def _beside_object(manifest: ObjectAddress, text: str) -> Reference:
    if "://" in text:
        raise _forbidden(text)
    folder = manifest.key.rpartition("/")[0]
    key = os.path.normpath(text.removeprefix("/") if text.startswith("/") else f"{folder}/{text}")
    return Reference(SourceKind.BUCKET, manifest.with_key(key.removeprefix("/")).url)


def _file_reference(folder: Path, text: str) -> Reference:
    if text.startswith("file:///"):
        path = path_of(text)
    elif "://" in text or text.startswith("data:"):
        raise _forbidden(text)
    else:
        path = folder / text
    if "\0" in str(path):
        raise ValueError("it holds a NUL")
    return Reference(SourceKind.FOLDER, uri_of(Path(os.path.normpath(path))))


def _forbidden(text: str) -> BadPicture:
    return BadPicture(
        FailureReason.ADDRESS_FORBIDDEN,
        f"{shown(text, _SHOWN_CHARACTERS)} is neither the path of a picture nor a URL that is read from "
        f"here (https, http, s3, gs, az).",
    )
