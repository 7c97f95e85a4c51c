"""Sample pictures are there whole, or a sentence says why they are not."""

from pathlib import Path

import pytest

from sightline_local.errors import StartError
from sightline_local.samples import copy_samples


def test_what_is_no_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StartError, match=r"cannot be copied to .*: Not a directory"):
        copy_samples(tmp_path / "file" / "samples")


def test_a_picture_that_was_broken_off_is_not_taken_for_one(small_disk: Path, tmp_path: Path) -> None:
    whole = copy_samples(tmp_path / "whole")

    with pytest.raises(StartError, match="No space left on device"):
        copy_samples(small_disk)

    copied = [path for path in small_disk.iterdir() if not path.name.startswith(".")]
    assert copied
    for path in copied:
        assert path.read_bytes() == (whole / path.name).read_bytes()
