"""What a row's reference means, by where the manifest is."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import FailureReason
from sightline.file_uri import path_of
from sightline.queue.sources import ManifestSource, SourceKind
from sightline_embedder.errors import SourceError
from sightline_embedder.sources.manifests import ManifestListing, manifest_place


def refs(listing: ManifestListing) -> list[tuple[SourceKind, str, FailureReason | None]]:
    return [
        (one.ref.kind, one.ref.uri, one.ref.refused.reason if one.ref.refused else None)
        for one in listing.list(None)
    ]


def jsonl(*references: str) -> bytes:
    import json

    return b"\n".join(json.dumps({"url": one}).encode() for one in references)


def test_references_of_a_file(listing_of: Callable[..., ManifestListing], tmp_path: Path) -> None:
    absolute = tmp_path / "sub" / "b c%.jpg"
    content = jsonl(
        "sub/a.jpg",
        "./x/../a#1.jpg",
        str(absolute),
        absolute.as_uri(),
        " https://host/a b.jpg",
        "s3://photos/a b.jpg",
    )

    found = refs(listing_of("a.jsonl", content))

    assert [kind for kind, _, _ in found] == [SourceKind.FOLDER] * 4 + [SourceKind.URL, SourceKind.BUCKET]
    assert [path_of(uri) for _, uri, _ in found[:4]] == [
        tmp_path / "sub/a.jpg",
        tmp_path / "a#1.jpg",
        absolute,
        absolute,
    ]
    assert [uri for _, uri, _ in found[4:]] == ["https://host/a b.jpg", "s3://photos/a%20b.jpg"]
    assert all(refused is None for _, _, refused in found)


def test_references_of_a_web_page(remote_listing_of: Callable[..., ManifestListing]) -> None:
    content = jsonl("a.jpg", "/b.jpg", "../c.jpg", "//other/d.jpg", "http://host/e.jpg", "s3://photos/f.jpg")

    found = refs(remote_listing_of("https://host/sets/one/list.jsonl?key=x#part", content))

    assert [uri for _, uri, _ in found] == [
        "https://host/sets/one/a.jpg",
        "https://host/b.jpg",
        "https://host/sets/c.jpg",
        "https://other/d.jpg",
        "http://host/e.jpg",
        "s3://photos/f.jpg",
    ]


def test_references_of_an_object(remote_listing_of: Callable[..., ManifestListing]) -> None:
    content = jsonl("a b.jpg", "../c.jpg", "/d.jpg", "https://host/e.jpg")

    found = refs(remote_listing_of("s3://photos/sets/one/list.jsonl", content))

    assert [uri for _, uri, _ in found] == [
        "s3://photos/sets/one/a%20b.jpg",
        "s3://photos/sets/c.jpg",
        "s3://photos/d.jpg",
        "https://host/e.jpg",
    ]


FORBIDDEN = ["ftp://host/a.jpg", "file://host/a.jpg", "s3://", "https://host/" + "a" * 9000]
LOCAL = ["data:image/png;base64,AAAA", "a\0b.jpg", "half \ud800.jpg"]


@pytest.mark.parametrize("reference", [*FORBIDDEN, *LOCAL])
def test_what_is_not_read_is_refused(listing_of: Callable[..., ManifestListing], reference: str) -> None:
    [(kind, uri, refused)] = refs(listing_of("a.jsonl", jsonl(reference)))

    assert (kind, uri.rpartition("/")[2]) == (SourceKind.FOLDER, "a.jsonl#row=1")
    assert refused in (FailureReason.ADDRESS_FORBIDDEN, FailureReason.NOT_FOUND)


@pytest.mark.parametrize(
    "reference",
    [*FORBIDDEN, "file:///etc/passwd.jpg", "data:image/png;base64,AAAA", "http://[a.jpg", "\udfff.jpg"],
)
def test_files_of_this_machine_cannot_be_named_from_elsewhere(
    remote_listing_of: Callable[..., ManifestListing], reference: str
) -> None:
    for url in ("https://host/list.jsonl", "s3://photos/list.jsonl"):
        [(_, uri, refused)] = refs(remote_listing_of(url, jsonl(reference)))
        assert refused is not None or uri.startswith("s3://photos/"), uri


def test_manifest_outside_the_roots_is_refused(tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "out.csv").write_bytes(b"url\na.jpg\n")
    (tmp_path / "allowed" / "link.csv").symlink_to(tmp_path / "out.csv")
    os.mkfifo(tmp_path / "allowed" / "pipe.csv")

    def list_file(path: str) -> None:
        place = manifest_place(ManifestSource(path=path), [tmp_path / "allowed"], _nowhere)
        list(ManifestListing(place, image_column="url", fields={}).list(None))

    def code_of(path: str) -> str:
        with pytest.raises(SourceError) as caught:
            list_file(path)
        return caught.value.code

    assert code_of(str(tmp_path / "out.csv")) == "path_not_allowed"
    assert code_of(str(tmp_path / "allowed" / "link.csv")) == "path_not_allowed"
    assert code_of("relative.csv") == "path_not_allowed"
    assert code_of(str(tmp_path / "allowed" / "gone.csv")) == "file_not_found"
    assert code_of(str(tmp_path / "allowed" / "pipe.csv")) == "file_unreadable"
    assert code_of(str(tmp_path / "allowed")) == "file_unreadable"


def _nowhere(url: str, /) -> Any:
    raise AssertionError(url)
