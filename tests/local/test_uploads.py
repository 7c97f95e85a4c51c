"""Files are sent in groups that an API takes, and one that cannot be costs no other."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sightline.identity import sha256_of_file
from sightline_local import uploads
from sightline_local.client import ApiClient, ApiFailure
from sightline_local.uploads import LeftOut, Uploads


class TakingApi(ApiClient):
    """An API that takes uploads within its limits."""

    def __init__(self, most_files: int = 500, most_bytes: int = 10_000, most_of_one: int = 10_000) -> None:
        super().__init__("http://127.0.0.1:1")
        self.known: set[str] = set()
        self.before_upload: Callable[[], None] = lambda: None
        self.sent: list[list[str]] = []
        self._most_files, self._most_bytes, self._most_of_one = most_files, most_bytes, most_of_one

    def post(self, path: str, body: Any) -> Any:
        return {"known": {sha256: "id" for sha256 in body["sha256"] if sha256 in self.known}}

    def upload(self, files: Sequence[Path], parameters: Any, tags: Sequence[str]) -> Any:
        self.before_upload()
        contents = [path.read_bytes() for path in files]
        if len(files) > self._most_files:
            raise ApiFailure("too_many_files", "Too many.")
        if sum(map(len, contents)) > self._most_bytes:
            raise ApiFailure("request_too_large", "The request is too large.")
        for path, content in zip(files, contents, strict=True):
            if len(content) > self._most_of_one:
                raise ApiFailure("too_many_bytes", f"File '{path.name}': too large.")
        self.sent.append([path.name for path in files])
        return {"id": str(len(self.sent))}


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Eight files of ten bytes."""
    paths = [tmp_path / f"{number}.jpg" for number in range(8)]
    for path in paths:
        path.write_bytes(path.name.encode() * 2)
    return paths


def sent(api: TakingApi, files: Sequence[Path]) -> tuple[int, list[LeftOut]]:
    """How many jobs an upload of files makes, and what it leaves out."""
    left_out: list[LeftOut] = []
    return len(list(Uploads(api, ["tag"], None, left_out.append).jobs(files))), left_out


def names(groups: Sequence[Sequence[str]]) -> list[str]:
    return sorted(name for group in groups for name in group)


def test_groups_are_cut_by_files_and_by_bytes(monkeypatch: pytest.MonkeyPatch, pictures: list[Path]) -> None:
    monkeypatch.setattr(uploads, "FILES_PER_UPLOAD", 3)
    monkeypatch.setattr(uploads, "BYTES_PER_UPLOAD", 50)
    pictures[4].write_bytes(b"x" * 45)
    pictures[6].write_bytes(b"y" * 60)
    api = TakingApi()

    assert sent(api, pictures) == (6, [])
    assert [[int(name[0]) for name in group] for group in api.sent] == [[0, 1, 2], [3], [4], [5], [6], [7]]


def test_what_is_there_is_not_sent(pictures: list[Path]) -> None:
    api = TakingApi()
    api.known = {sha256_of_file(path) for path in pictures[1:]}

    assert sent(api, pictures) == (1, [])
    assert api.sent == [["0.jpg"]]


def test_files_that_cannot_be_read_cost_no_other(tmp_path: Path, pictures: list[Path]) -> None:
    dangling, folder, pipe = tmp_path / "dangling.jpg", tmp_path / "folder", tmp_path / "pipe.jpg"
    dangling.symlink_to(tmp_path / "nothing.jpg")
    folder.mkdir()
    os.mkfifo(pipe)
    api = TakingApi()

    jobs, left_out = sent(api, [dangling, *pictures[:4], folder, pipe, *pictures[4:]])

    assert (jobs, names(api.sent)) == (1, [path.name for path in pictures])
    assert left_out == [
        LeftOut(dangling, "No such file or directory"),
        LeftOut(folder, "the folder cannot be listed"),
        LeftOut(pipe, "this is no regular file"),
    ]


def test_a_file_that_is_gone_when_its_group_is_sent_costs_no_other(pictures: list[Path]) -> None:
    api = TakingApi()
    api.before_upload = lambda: pictures[5].unlink(missing_ok=True)

    _, left_out = sent(api, pictures)

    assert names(api.sent) == [path.name for path in pictures if path != pictures[5]]
    assert left_out == [LeftOut(pictures[5], "No such file or directory")]


def test_pictures_that_the_api_takes_from_nobody_cost_no_other(pictures: list[Path]) -> None:
    pictures[2].write_bytes(b"x" * 200)
    pictures[7].write_bytes(b"x" * 300)
    api = TakingApi(most_of_one=100)

    jobs, left_out = sent(api, pictures)

    assert (jobs, names(api.sent)) == (1, [f"{number}.jpg" for number in (0, 1, 3, 4, 5, 6)])
    assert {one.path for one in left_out} == {pictures[2], pictures[7]}
    assert all("too large" in one.why for one in left_out)


@pytest.mark.parametrize("limit", [{"most_files": 3}, {"most_bytes": 35}], ids=str)
def test_a_group_that_the_api_finds_too_large_is_sent_in_parts(
    pictures: list[Path], limit: dict[str, int]
) -> None:
    api = TakingApi(**limit)

    assert sent(api, pictures) == (4, [])
    assert [len(group) for group in api.sent] == [2, 2, 2, 2]


def test_a_file_larger_than_a_request_may_be_is_left_out(pictures: list[Path]) -> None:
    pictures[3].write_bytes(b"x" * 200)
    api = TakingApi(most_bytes=100)

    _, left_out = sent(api, pictures)

    assert names(api.sent) == [path.name for path in pictures if path != pictures[3]]
    assert left_out == [LeftOut(pictures[3], "The request is too large.")]


def test_what_is_no_files_fault_ends_it(pictures: list[Path]) -> None:
    class Refusing(TakingApi):
        def upload(self, files: Sequence[Path], parameters: Any, tags: Sequence[str]) -> Any:
            raise ApiFailure("storage_full", "The disk is full.")

    with pytest.raises(ApiFailure, match="disk is full"):
        sent(Refusing(), pictures)


def test_a_name_that_is_no_text_costs_no_other(pictures: Sequence[Path]) -> None:
    class StrictApi(TakingApi):
        def upload(self, files: Sequence[Path], parameters: Any, tags: Sequence[str]) -> Any:
            if any("\udce9" in path.name for path in files):
                ApiClient.upload(self, files, parameters, tags)
            return super().upload(files, parameters, tags)

    named = pictures[0].rename(pictures[0].with_name("caf\udce9.jpg"))
    api = StrictApi()

    _, left_out = sent(api, [named, *pictures[1:]])

    assert names(api.sent) == [path.name for path in pictures[1:]]
    assert [(one.path, "no text in UTF-8" in one.why) for one in left_out] == [(named, True)]
