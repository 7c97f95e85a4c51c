"""What stands beside a picture in an archive becomes its metadata, as in WebDataset shards."""

import gzip
import json
from typing import Any

import pytest
from archive_folder import Archives, Outcome, name_of
from building_archives import FORMATS, jpeg, tar_of, zip_of

from sightline_embedder.sources.archives.samples import SAMPLE_MEMBERS
from sightline_embedder.sources.archives.sidecars import SIDECAR_BYTES


def metadata(outcome: Outcome) -> dict[str, dict[str, Any]]:
    assert outcome.error is None
    return {name_of(one): one.ref.metadata for one in outcome.listed}


@pytest.mark.parametrize("form", FORMATS)
def test_files_of_one_key_are_one_sample_in_any_order(archives: Archives, form: str) -> None:
    shard = {
        "00/1.json": b'{"sku": "A-17", "price": 9.5, "tags": ["x"]}',
        "00/1.jpg": jpeg(1),
        "00/1.txt": b" a red bicycle\n",
        "00/1.cls": b"42",
        "00/2.jpg": jpeg(2),
        "00/2.json": b'{"caption": "of the object", "deep": {"a": [null, true]}}',
        "00/2.txt": b"of the text",
        "01/2.txt": b"of another folder",
        "3.jpg": jpeg(3),
        "4.txt": b"of no picture",
        "5.cls": b"cat\n",
        "5.PNG": jpeg(5),
        "6.left.jpg": jpeg(6),
        "6.right.jpg": jpeg(7),
        "6.json": b'{"pair": 6}',
        "6.depth.json": b'{"not": "this"}',
    }
    found = metadata(archives.list(archives.add(FORMATS[form](shard))))

    assert found == {
        "00/1.jpg": {"sku": "A-17", "price": 9.5, "tags": ["x"], "caption": "a red bicycle", "cls": 42},
        "00/2.jpg": {"caption": "of the object", "deep": {"a": [None, True]}},
        "3.jpg": {},
        "5.PNG": {"cls": "cat"},
        "6.left.jpg": {"pair": 6},
        "6.right.jpg": {"pair": 6},
    }


def test_a_sample_is_what_stands_together(archives: Archives) -> None:
    shard = {"a.jpg": jpeg(1), "b.jpg": jpeg(2), "a.json": b'{"late": 1}'}

    assert metadata(archives.list(archives.add(tar_of(shard)))) == {"a.jpg": {}, "b.jpg": {}}


def test_what_macos_puts_between_does_not_part_a_sample(archives: Archives) -> None:
    shard = {"a.jpg": jpeg(1), "__MACOSX/._a.jpg": b"", "dir/": b"", "a.json": b'{"b": 1}'}

    assert metadata(archives.list(archives.add(zip_of(shard)))) == {"a.jpg": {"b": 1}}


def test_a_sample_without_end_is_listed_in_parts(archives: Archives) -> None:
    shard = {f"a.{number:03}.jpg": jpeg(number) for number in range(2 * SAMPLE_MEMBERS)}
    listing = archives.listing(archives.add(tar_of(shard))).list(None)

    next(listing)
    listing.close()

    originals = [path for path in (archives.folder / "media").rglob("*") if path.is_file()]
    assert len(originals) == SAMPLE_MEMBERS
    found = metadata(archives.list(archives.add(tar_of({**shard, "a.json": b'{"b": 1}'}))))
    assert len(found) == 2 * SAMPLE_MEMBERS


@pytest.mark.parametrize(
    "sidecar",
    [
        b"",
        b"{",
        b"[1]",
        b"3",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 9223372036854775808}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": "\xff"}',
        b'{"a": 1}'.decode().encode("utf-16"),
        b"[" * 60_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"a":' * 32 + b"1" + b"}" * 32,
        b'{"a": "' + b"x" * SIDECAR_BYTES + b'"}',
    ],
    ids=lambda sidecar: sidecar[:20],
)
def test_a_sidecar_that_cannot_be_used_costs_its_picture_nothing(archives: Archives, sidecar: bytes) -> None:
    shard = {"a.json": sidecar, "a.jpg": jpeg(1), "a.txt": b"kept", "b.jpg": jpeg(2), "b.json": b'{"c": 1}'}
    for data in (zip_of(shard), gzip.compress(tar_of(shard))):
        assert metadata(archives.list(archives.add(data))) == {
            "a.jpg": {"caption": "kept"},
            "b.jpg": {"c": 1},
        }


def test_all_that_an_index_can_keep_is_metadata(archives: Archives) -> None:
    about = {"int": -(2**63), "float": 1e-300, "text": "日本 \u2028", "deep": json.loads("[" * 29 + "]" * 29)}
    shard = {"a.jpg": jpeg(1), "a.json": b"\xef\xbb\xbf" + json.dumps(about).encode()}

    assert metadata(archives.list(archives.add(tar_of(shard)))) == {"a.jpg": about}


@pytest.mark.parametrize(
    ("text", "label"), [("7", 7), ("-1", -1), ("1_0", "1_0"), ("9" * 30, "9" * 30), ("", "")]
)
def test_a_class_is_a_number_where_it_is_one(archives: Archives, text: str, label: int | str) -> None:
    shard = {"a.cls": text.encode(), "a.jpg": jpeg(1)}

    assert metadata(archives.list(archives.add(tar_of(shard)))) == {"a.jpg": {"cls": label}}
