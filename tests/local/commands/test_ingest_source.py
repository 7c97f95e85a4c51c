"""What an argument of `sightline index` is taken for."""

from pathlib import Path
from typing import Any

import pytest

from sightline_local.client import ApiClient, ApiFailure
from sightline_local.commands.ingest_source import source_of, start_source


@pytest.mark.parametrize(
    ("argument", "source"),
    [
        (
            "https://example.org/a.jpg",
            {"kind": "urls", "items": [{"url": "https://example.org/a.jpg"}]},
        ),
        (
            "HTTP://example.org/picture?name=a.zip",
            {"kind": "urls", "items": [{"url": "HTTP://example.org/picture?name=a.zip"}]},
        ),
        (
            "https://example.org/all.tar.gz?key=1",
            {"kind": "archive", "url": "https://example.org/all.tar.gz?key=1"},
        ),
        ("https://example.org/all.ZIP", {"kind": "archive", "url": "https://example.org/all.ZIP"}),
        ("https://example.org/all.csv", {"kind": "manifest", "url": "https://example.org/all.csv"}),
        ("s3://photos", {"kind": "bucket", "url": "s3://photos"}),
        ("gs://photos/2024/", {"kind": "bucket", "url": "gs://photos/2024/"}),
        ("s3://photos/shard-000.tar", {"kind": "archive", "url": "s3://photos/shard-000.tar"}),
        ("az://photos/all.parquet", {"kind": "manifest", "url": "az://photos/all.parquet"}),
    ],
)
def test_what_is_elsewhere(argument: str, source: dict[str, Any]) -> None:
    assert source_of(argument) == source


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("all.zip", "archive"),
        ("ALL.TAR", "archive"),
        ("all.tar.gz", "archive"),
        ("all.tgz", "archive"),
        ("all.csv", "manifest"),
        ("all.jsonl", "manifest"),
        ("all.parquet", "manifest"),
    ],
)
def test_files_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    whole = {"kind": kind, "path": str(tmp_path / name)}
    assert source_of(str(tmp_path / name)) == whole
    assert source_of(name) == whole


def test_folders_pictures_and_what_is_not_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "picture.jpg").write_bytes(b"x")
    for name in ("folder.zip", "picture.jpg", "nothing.zip", "."):
        assert source_of(str(tmp_path / name)) is None


class RefusingApi(ApiClient):
    """An API that refuses every source."""

    def __init__(self, code: str) -> None:
        super().__init__("http://127.0.0.1:1")
        self._code = code

    def post(self, path: str, body: Any) -> Any:
        raise ApiFailure(self._code, "The API's own words.")


def test_a_file_that_the_api_may_not_read_is_said_with_what_to_do() -> None:
    for code in ("path_not_allowed", "file_not_found"):
        for kind, unpacked in (("archive", True), ("manifest", False)):
            with pytest.raises(ApiFailure, match=r"/a/all.* SIGHTLINE_IMPORT_ROOTS") as caught:
                start_source(RefusingApi(code), {"kind": kind, "path": "/a/all"}, [], None)
            assert caught.value.code == code
            assert ("unpack it" in str(caught.value)) == unpacked


def test_other_refusals_are_the_apis_own() -> None:
    for source in ({"kind": "bucket", "url": "s3://photos"}, {"kind": "archive", "path": "/a.zip"}):
        with pytest.raises(ApiFailure, match="own words"):
            start_source(RefusingApi("queue_full"), source, [], None)
