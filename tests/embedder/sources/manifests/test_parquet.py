"""Parquet: typed columns become metadata, and what is hostile stays in its process."""

import io
import math
import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psutil
import pyarrow
import pyarrow.parquet
import pytest

from sightline.errors import FailureReason
from sightline_embedder.errors import SourceError
from sightline_embedder.sources.manifests import ManifestListing


def parquet(table: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out, **options)
    return out.getvalue()


def outcome(listing: ManifestListing) -> tuple[str | None, int]:
    """The code of the fault that ended listing, and how many rows came before it."""
    rows = 0
    try:
        for _ in listing.list(None):
            rows += 1
    except SourceError as error:
        return error.code, rows
    return None, rows


def names(count: int) -> Sequence[str]:
    return [f"{number}.jpg" for number in range(count)]


def test_columns_become_metadata_of_their_types(listing_of: Callable[..., ManifestListing]) -> None:
    zoned = pyarrow.array([datetime(2024, 5, 31, 14, 30)], pyarrow.timestamp("ns", "America/New_York"))
    table = pyarrow.table(
        {
            "url": ["a.jpg"],
            "tags": [["x", "y"]],
            "stock": [3.0],
            "sku": [1234],
            "price": pyarrow.array([Decimal("12.50")]),
            "made": pyarrow.array([date(2024, 5, 31)]),
            "day": pyarrow.array([date(2024, 5, 31)]),
            "seen": pyarrow.array([datetime(2024, 5, 31, 14, 30, tzinfo=UTC)]),
            "zoned": zoned,
            "nothing": pyarrow.array([None], pyarrow.string()),
            "nan": [math.nan],
            "big": pyarrow.array([2**64 - 1], pyarrow.uint64()),
            "raw": [b"bytes"],
            "category": pyarrow.array(["red"]).dictionary_encode(),
            "far": pyarrow.array([2**62], pyarrow.timestamp("us")),
            "size": [{"width": 4, "raw": b"x"}],
            "map": pyarrow.array([[("a", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
        }
    )

    [listed] = listing_of("a.parquet", parquet(table)).list(None)

    assert listed.ref.tags == ("x", "y")
    assert listed.ref.metadata == {
        "stock": 3,
        "sku": "1234",
        "price": 12.5,
        "made": "2024-05-31T00:00:00Z",
        "day": "2024-05-31",
        "seen": "2024-05-31T14:30:00Z",
        "zoned": "2024-05-31T14:30:00Z",
        "big": str(2**64 - 1),
        "category": "red",
        "size": {"width": 4, "raw": None},
        "map": [["a", 1]],
    }


def test_resumes_in_the_row_group_where_it_stopped(listing_of: Callable[..., ManifestListing]) -> None:
    content = parquet(pyarrow.table({"url": names(1000), "n": range(1000)}), row_group_size=300)
    listing = listing_of("a.parquet", content)
    whole = list(listing.list(None))

    assert [one.ref.metadata["n"] for one in whole] == list(range(1000))
    for place in (254, 299, 300, 999):
        assert list(listing.list(whole[place].cursor)) == whole[place + 1 :]


def test_damage_in_an_earlier_row_group_does_not_stop_a_listing_that_passed_it(
    listing_of: Callable[..., ManifestListing],
) -> None:
    content = bytearray(
        parquet(pyarrow.table({"url": names(60_000)}), row_group_size=20_000, compression="none")
    )
    first = next(iter(listing_of("a.parquet", bytes(content)).list(None)))
    content[70_000:70_100] = bytes(100)  # neither in the fingerprint nor in the later groups
    damaged = listing_of("a.parquet", bytes(content))

    assert outcome(damaged)[0] == "manifest_damaged"
    assert len(list(damaged.list(first.cursor.replace("-1", "-20000")))) == 40_000


def test_rows_without_a_picture_are_refused(listing_of: Callable[..., ManifestListing]) -> None:
    table = pyarrow.table({"url": ["a.jpg", None, ""], "text": ["x" * (2 << 20), "y", "z"]})

    whole = list(listing_of("a.parquet", parquet(table)).list(None))

    assert [one.ref.refused and one.ref.refused.reason for one in whole] == [
        FailureReason.BAD_METADATA,
        FailureReason.NOT_FOUND,
        FailureReason.NOT_FOUND,
    ]


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ({"picture": ["a.jpg"]}, "manifest_column_missing"),
        ({"url": [b"bytes"]}, "manifest_column_unusable"),
        ({"url": [{"path": "a.jpg"}]}, "manifest_column_unusable"),
    ],
)
def test_column_that_names_no_pictures_is_a_fault_of_the_source(
    listing_of: Callable[..., ManifestListing], table: dict[str, Any], code: str
) -> None:
    with pytest.raises(SourceError) as caught:
        list(listing_of("a.parquet", parquet(pyarrow.table(table))).list(None))
    assert caught.value.code == code


def test_mutated_files_end_in_rows_or_a_fault_of_the_source(
    listing_of: Callable[..., ManifestListing],
) -> None:
    chance = random.Random(5)
    whole = parquet(pyarrow.table({"url": names(50), "n": range(50)}))
    for _ in range(8):
        content = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            content[chance.randrange(4, len(content))] = chance.randrange(256)
        cut = bytes(content[: chance.choice([len(content), chance.randrange(4, len(content))])])
        code, rows = outcome(listing_of("a.parquet", cut))
        assert code is None or code.startswith("manifest_")
        assert rows <= 50


def test_what_unpacks_to_gigabytes_is_a_fault_of_the_source(
    listing_of: Callable[..., ManifestListing],
) -> None:
    # 200 rows with one text of 8 MiB, which the file holds once.
    texts = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 200), ["x" * (8 << 20)])
    content = parquet(pyarrow.table({"url": texts}), compression="zstd")
    before = psutil.Process().memory_info().rss

    assert len(content) < 1 << 20
    with pytest.raises(SourceError, match="memory") as caught:
        list(listing_of("a.parquet", content).list(None))
    assert caught.value.code == "manifest_damaged"
    assert psutil.Process().memory_info().rss < before + (64 << 20)


def test_no_process_is_left_when_listing_stops(listing_of: Callable[..., ManifestListing]) -> None:
    listing = listing_of("a.parquet", parquet(pyarrow.table({"url": names(10_000)}))).list(None)
    next(listing)
    children = psutil.Process().children()

    listing.close()

    assert children
    assert all(not child.is_running() for child in children if "parquet" in " ".join(_command(child)))
    assert not [child for child in psutil.Process().children() if "parquet" in " ".join(_command(child))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
